"""Readings: any meter download in, canonical frame, meta and findings out."""

from eisenergy.readings.distributor import DistributorReport, DistributorRow, read_report
from eisenergy.readings.intake import RegularFile, identify, read, read_any, read_regular
from eisenergy.readings.mapping import BadMapping, Mapping, load_mappings
from eisenergy.readings.model import Choice, Format, ReadMeta, ReadResult, TableMeta
from eisenergy.readings.preview import ColumnPreview, Preview, preview

__all__ = [
    "BadMapping",
    "Choice",
    "ColumnPreview",
    "DistributorReport",
    "DistributorRow",
    "Format",
    "Mapping",
    "Preview",
    "ReadMeta",
    "ReadResult",
    "RegularFile",
    "TableMeta",
    "identify",
    "load_mappings",
    "preview",
    "read",
    "read_any",
    "read_regular",
    "read_report",
]
