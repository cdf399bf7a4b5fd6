"""Commands that change what the sensor goes by, and open what it closed: the allow-list, names, keys."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from sensor.cli.ending import status_of
from sensor.cli.options import CONFIG


def allow(
    config: Annotated[str, typer.Option(*CONFIG, metavar="FILE", help="Settings file (TOML) to add the entry to.")],
    reason: Annotated[str, typer.Option(metavar="TEXT", help="Why it is allowed.")],
    expires: Annotated[str, typer.Option(metavar="YYYY-MM-DD", help="The last day on which it holds.")],
    mailbox: Annotated[str | None, typer.Option(metavar="ADDRESS", help="The mailbox that may forward.")] = None,
    destination: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="The address that mail may be forwarded to.")
    ] = None,
    domain: Annotated[
        str | None,
        typer.Option(
            metavar="DOMAIN", help="The domain that mail may be forwarded to; .d.example takes in all below it."
        ),
    ] = None,
    detector: Annotated[str | None, typer.Option(metavar="NAME", help="Only findings of this detector.")] = None,
) -> None:
    """Add an entry to the allow-list: all parts given must hold, so a mailbox with a destination is the narrowest."""
    from datetime import UTC, datetime

    from sensor.app.alerts import allow as run

    parts = {
        "mailbox": mailbox,
        "destination": destination,
        "domain": domain,
        "detector": detector,
        "reason": reason,
        "expires": expires,
    }
    today = datetime.now(UTC).date()
    raise typer.Exit(status_of(lambda: run(config, parts, os.environ, today)))


def reveal(
    names: Annotated[
        list[str],
        typer.Argument(
            metavar="PSEUDONYM", help="What is to be revealed; - for all pseudonyms in a text on standard input."
        ),
    ],
    key: Annotated[str, typer.Option(metavar="FILE", help="The key file (privacy.key_file).")],
) -> None:
    """Turn pseudonyms back into addresses, by the key that they were made with."""
    from sensor.app.reveal import RevealOptions
    from sensor.app.reveal import reveal as run

    raise typer.Exit(status_of(lambda: run(RevealOptions(names, key))))


def key(
    path: Annotated[str, typer.Argument(metavar="FILE", help="The key file (privacy.key_file).")],
    add: Annotated[bool, typer.Option("--add", help="Put a new key in: it names from the next start on.")] = False,
) -> None:
    """Print the ids of the keys in a key file, as pseudonyms carry them; or put a new key in."""
    from sensor.app.reveal import show_keys

    raise typer.Exit(status_of(lambda: show_keys(path, adds=add)))
