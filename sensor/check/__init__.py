"""Checks of what the sensor needs, a file each. A newcomer copies a neighbour and adds it to the list."""

from sensor.check.base import RANK, Check, Line, Status, Subject
from sensor.check.captures import CAPTURES
from sensor.check.clock import CLOCK
from sensor.check.disk import DISK
from sensor.check.files import FILES
from sensor.check.interfaces import INTERFACES
from sensor.check.mta_log import MTA_LOG
from sensor.check.offloads import OFFLOADS
from sensor.check.organisation import ORGANISATION
from sensor.check.ports import PORTS
from sensor.check.rights import RIGHTS
from sensor.check.rings import RINGS
from sensor.check.secrets import SECRETS
from sensor.check.sinks import SINKS
from sensor.check.store import STORE
from sensor.check.web import WEB

CHECKS: tuple[Check, ...] = (
    ORGANISATION,
    RIGHTS,
    INTERFACES,
    OFFLOADS,
    RINGS,
    CAPTURES,
    PORTS,
    MTA_LOG,
    WEB,
    FILES,
    SECRETS,
    STORE,
    DISK,
    SINKS,
    CLOCK,
)
"""In the order in which they are told."""

__all__ = ["CHECKS", "RANK", "Check", "Line", "Status", "Subject"]
