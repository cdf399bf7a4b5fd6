"""The command ``mailsensor``: its name, its version, and the list of its commands."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import typer

from sensor.cli.asking import alerts, artifacts, check, explain, report
from sensor.cli.ending import open_closed_streams
from sensor.cli.managing import allow, key, reveal
from sensor.cli.statuses import (
    ALERTS_STATUS,
    CHECK_STATUS,
    DONE_STATUS,
    EXIT_STATUS,
    JOURNAL_STATUS,
    MILTER_STATUS,
    RELAY_STATUS,
    RUN_STATUS,
    SNIFF_STATUS,
)
from sensor.cli.watching import journal, milter, relay, replay, run, sniff

cli = typer.Typer(
    name="mailsensor",
    help="Reads mail flow off the wire and tells which mailbox forwards what, to whom, and how sure that is.",
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

COMMANDS: tuple[tuple[Callable[..., None], str], ...] = (
    (replay, EXIT_STATUS),
    (sniff, SNIFF_STATUS),
    (relay, RELAY_STATUS),
    (milter, MILTER_STATUS),
    (journal, JOURNAL_STATUS),
    (explain, EXIT_STATUS),
    (artifacts, DONE_STATUS),
    (run, RUN_STATUS),
    (check, CHECK_STATUS),
    (report, DONE_STATUS),
    (alerts, ALERTS_STATUS),
    (allow, DONE_STATUS),
    (reveal, DONE_STATUS),
    (key, DONE_STATUS),
)
"""In the order of the help, each with what its exit statuses mean."""

for _command, _statuses in COMMANDS:
    cli.command(epilog=_statuses)(_command)


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import PackageNotFoundError, version

        try:
            number = version("mailflow-sensor")
        except PackageNotFoundError:
            number = "(not installed)"
        print(f"mailsensor {number}")
        raise typer.Exit


@cli.callback()
def main(  # noqa: D103 - its docstring would take the place of the help text
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    pass


def run_cli() -> int:
    """Run the command line of this process and return its exit status."""
    open_closed_streams()
    try:
        cli(prog_name="mailsensor")
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    return 0
