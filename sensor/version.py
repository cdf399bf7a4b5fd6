"""Which version this is."""

from functools import cache


@cache
def version() -> str:
    """The version of the installed package; "unknown" where it runs from a checkout that nobody installed."""
    # Reading what the package says of itself takes some part of a start, and most runs never ask.
    from importlib.metadata import PackageNotFoundError
    from importlib.metadata import version as installed_version

    try:
        return installed_version("mailflow-sensor")
    except PackageNotFoundError:
        return "unknown"
