"""Pure classification: a Transaction in, what it shows of forwarding out."""

from sensor.classify.artifacts import ArtifactError, Table, load_table
from sensor.classify.direction import Organisation
from sensor.classify.verdict import NONE, Judgement, builtin_table, classify, judge

__all__ = [
    "NONE",
    "ArtifactError",
    "Judgement",
    "Organisation",
    "Table",
    "builtin_table",
    "classify",
    "judge",
    "load_table",
]
