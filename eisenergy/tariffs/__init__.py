"""Tariffs: dated rates per block, the rules that apply them, and how they are read."""
