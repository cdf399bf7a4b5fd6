"""Pure classification: a Transaction in, what it shows of forwarding out."""

from sensor.classify.artifacts import ArtifactError, Table, load_table
from sensor.classify.direction import Organisation
from sensor.classify.verdict import NONE, builtin_table, classify

__all__ = ["NONE", "ArtifactError", "Organisation", "Table", "builtin_table", "classify", "load_table"]
