"""Options that several commands have, said once: whoever knows one command's is understood by all."""

from __future__ import annotations

from typing import Annotated

import typer

AlertsOption = Annotated[
    str | None, typer.Option(metavar="FILE|-", help="Write alerts, each time one opens, changes or is resolved.")
]
AlertsFormatOption = Annotated[
    str, typer.Option(metavar="jsonl|ocsf", help="JSON Lines of our own, or OCSF Detection Findings.")
]
StoreOption = Annotated[
    str | None,
    typer.Option(metavar="FILE", help="Go on from what this file (SQLite) holds of earlier runs, and keep it there."),
]
KeyOption = Annotated[
    str | None,
    typer.Option(metavar="FILE", help="The key file (privacy.key_file), where the store is sealed with it."),
]
CONFIG = ("--config", "--settings")
ConfigOption = Annotated[str | None, typer.Option(*CONFIG, metavar="FILE", help="Settings file (TOML).")]
EventsOption = Annotated[
    str | None,
    typer.Option(
        metavar="FILE|-",
        help="Write one JSON record a line for each mail, at once. With - the summary goes to standard error.",
    ),
]
QuietOption = Annotated[bool, typer.Option("--quiet", "-q", help="No summary; only warnings.")]
InternalDomainOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="DOMAIN",
        help="A domain of the protected organisation; .corp.example takes in all below it. Repeatable.",
    ),
]
LimitOption = Annotated[
    list[str] | None, typer.Option(metavar="NAME=VALUE", help="Change a limit; docs/limits.md has them. Repeatable.")
]
JsonSummaryOption = Annotated[bool, typer.Option("--json", help="Print the summary as one JSON object.")]
