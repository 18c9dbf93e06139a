"""The analyst's workbook, both ways: checked cell by cell, and written live from an issued invoice.

:func:`eisenergy.workbook.check.check` says of every formula cell whether it is right; ``export`` writes an invoice as a workbook
that proves it.
"""
