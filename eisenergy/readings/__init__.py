"""Readings: any meter download in, canonical frame, meta and findings out."""

from eisenergy.readings.intake import identify, read
from eisenergy.readings.mapping import BadMapping, Mapping, load_mappings
from eisenergy.readings.model import Choice, Format, ReadMeta, ReadResult, TableMeta

__all__ = [
    "BadMapping",
    "Choice",
    "Format",
    "Mapping",
    "ReadMeta",
    "ReadResult",
    "TableMeta",
    "identify",
    "load_mappings",
    "read",
]
