"""Invoices: a bill that has a number."""
