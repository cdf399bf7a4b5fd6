"""What of addresses leaves the sensor: the one edge at which clear text turns into pseudonyms."""

from sensor.privacy.names import Names, keeping_domains
from sensor.privacy.veil import CLEAR, ClearVeil, PseudonymVeil, Veil, keys_of, told_as, veil_like, veil_of

__all__ = [
    "CLEAR",
    "ClearVeil",
    "Names",
    "PseudonymVeil",
    "Veil",
    "keeping_domains",
    "keys_of",
    "told_as",
    "veil_like",
    "veil_of",
]
