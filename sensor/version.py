"""Which version this is."""

from functools import cache
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed_version


@cache
def version() -> str:
    """The version of the installed package; "unknown" where it runs from a checkout that nobody installed."""
    try:
        return installed_version("mailflow-sensor")
    except PackageNotFoundError:
        return "unknown"
