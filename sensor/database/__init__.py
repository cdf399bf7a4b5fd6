"""What the sensor keeps between runs: one SQLite file. ``database`` says what may be relied on."""

from sensor.database.database import Change, CountedCapture, Database
from sensor.database.errors import DatabaseError, OlderDatabaseError
from sensor.database.tables import APPLICATION_ID, DAY_S, MIGRATIONS, today

__all__ = [
    "APPLICATION_ID",
    "DAY_S",
    "MIGRATIONS",
    "Change",
    "CountedCapture",
    "Database",
    "DatabaseError",
    "OlderDatabaseError",
    "today",
]
