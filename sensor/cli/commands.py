"""The command ``mailsensor``: its name, its version, and the list of its commands."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

import typer
from typer.core import TyperArgument, TyperCommand

from sensor.cli.asking import alerts, artifacts, check, explain, report
from sensor.cli.ending import open_closed_streams, status_of
from sensor.cli.managing import allow, key, reveal
from sensor.cli.statuses import (
    ALERTS_STATUS,
    CHECK_STATUS,
    DONE_STATUS,
    EXPLAIN_STATUS,
    JOURNAL_STATUS,
    MILTER_STATUS,
    RELAY_STATUS,
    REPLAY_STATUS,
    REPORT_STATUS,
    RUN_STATUS,
    SNIFF_STATUS,
)
from sensor.cli.watching import journal, milter, relay, replay, run, sniff

cli = typer.Typer(
    name="mailsensor",
    help="Reads mail flow off the wire and tells which mailbox forwards what, to whom, and how sure that is.",
    epilog="After any of them, --help has its options and what exit statuses mean. For a first look: mailsensor replay "
    "FILE",
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

COMMANDS: tuple[tuple[Callable[..., None], str, str], ...] = (
    (replay, "Read captures: who forwards mail, how, and to whom.", REPLAY_STATUS),
    (sniff, "The same of network interfaces, until Ctrl-C.", SNIFF_STATUS),
    (milter, "The same, asked by a Postfix or Sendmail about each mail.", MILTER_STATUS),
    (relay, "The same, in line between SMTP clients and their next hop.", RELAY_STATUS),
    (journal, "The same of copies of mail, taken in by SMTP.", JOURNAL_STATUS),
    (run, "Any of these as one service, by a settings file.", RUN_STATUS),
    (check, "Say beforehand what would not work, and how to fix it.", CHECK_STATUS),
    (alerts, "Print alerts by case; one of them whole; verify evidence.", ALERTS_STATUS),
    (report, "Print what runs have kept: who forwards, where to, alerts.", REPORT_STATUS),
    (explain, "Show why a mail is, or is not, taken for a forward.", EXPLAIN_STATUS),
    (artifacts, "Print the marks that tell of forwarding, as in force.", DONE_STATUS),
    (allow, "Add what is known and wanted to the allow-list.", DONE_STATUS),
    (reveal, "Turn pseudonyms back into addresses.", DONE_STATUS),
    (key, "Print the ids of the keys in a file, or put a new one in.", DONE_STATUS),
)
"""In the order of the help, each with a line that a terminal of 80 columns has room for, and its exit statuses."""


class _Command(TyperCommand):
    """Shows of an argument what it is called: that it is a ``list[str]`` says nothing to whoever gives it."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        for each in self.params:
            if isinstance(each, TyperArgument):
                each.display_type_rich = _no_type  # type: ignore[method-assign]


def _no_type(ctx: object) -> None:
    return None


for _command, _brief, _statuses in COMMANDS:
    cli.command(cls=_Command, short_help=_brief, epilog=_statuses)(_command)


def _version(wanted: bool) -> None:
    if wanted:
        from sensor.version import version

        print(f"mailsensor {version()}")
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
    return status_of(_run)


def _run() -> int:
    try:
        cli(prog_name="mailsensor")
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    return 0
