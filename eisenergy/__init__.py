"""eisenergy: from meter downloads to bills people trust."""

__version__ = "0.1.0"
