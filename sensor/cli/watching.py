"""Commands that read mail and tell who forwards: of captures, of interfaces, of mail servers, as a service."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from sensor.cli.ending import status_of
from sensor.cli.options import (
    CONFIG,
    AlertsFormatOption,
    AlertsOption,
    ConfigOption,
    EventsOption,
    InternalDomainOption,
    JsonSummaryOption,
    LimitOption,
    QuietOption,
    StoreOption,
)


def replay(
    paths: Annotated[
        list[str],
        typer.Argument(
            metavar="PATH",
            help="Captures (pcap, pcapng, also .gz and .zst), directories of captures, or - for standard input.",
        ),
    ],
    events: Annotated[
        str | None,
        typer.Option(
            metavar="FILE|-",
            help="Write one JSON record a line for each mail. With - the summary goes to standard error.",
        ),
    ] = None,
    alerts: AlertsOption = None,
    alerts_format: AlertsFormatOption = "jsonl",
    no_sinks: Annotated[
        bool, typer.Option("--no-sinks", help="Tell the sinks of the settings file nothing: to look at old captures.")
    ] = False,
    report: Annotated[
        str | None,
        typer.Option(metavar="FILE|-", help="Write the incident report: one HTML page that needs nothing else."),
    ] = None,
    store: StoreOption = None,
    once: Annotated[
        bool, typer.Option("--once", help="With --store: pass over captures that were counted before.")
    ] = False,
    config: ConfigOption = None,
    internal_domain: InternalDomainOption = None,
    limit: LimitOption = None,
    json: JsonSummaryOption = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="No summary and no progress bar; only warnings.")
    ] = False,
) -> None:
    """Read captures and print which mailboxes forward mail, how, and to whom."""
    from sensor.app.replay import ReplayOptions
    from sensor.app.replay import replay as run

    options = ReplayOptions(
        paths=paths,
        events=events,
        alerts=alerts,
        alerts_format=alerts_format,
        sinks=not no_sinks,
        report=report,
        store=store,
        once=once,
        settings_path=config,
        internal_domains=internal_domain or (),
        limits=limit or (),
        json=json,
        quiet=quiet,
    )
    raise typer.Exit(status_of(lambda: run(options, os.environ)))


def sniff(
    interface: Annotated[
        list[str] | None,
        typer.Option(
            "--interface",
            "-i",
            metavar="NAME",
            help="A network interface. Repeatable: where each direction comes on one of its own, both are read as one. "
            "Without any, live.interfaces of the settings.",
        ),
    ] = None,
    port: Annotated[
        list[int] | None,
        typer.Option(
            metavar="NUMBER",
            min=1,
            max=65_535,
            help="A TCP port to let through in place of the usual mail ports. Repeatable.",
        ),
    ] = None,
    all_traffic: Annotated[
        bool, typer.Option("--all-traffic", help="Look at every frame: finds mail on any port, and costs more.")
    ] = False,
    events: EventsOption = None,
    alerts: AlertsOption = None,
    alerts_format: AlertsFormatOption = "jsonl",
    store: StoreOption = None,
    config: ConfigOption = None,
    internal_domain: InternalDomainOption = None,
    limit: LimitOption = None,
    json: JsonSummaryOption = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="No summary and no progress line; only warnings.")
    ] = False,
) -> None:
    """Capture network interfaces (Linux) until Ctrl-C, then print which mailboxes forward mail, how, and to whom."""
    from sensor.app.sniff import SniffOptions
    from sensor.app.sniff import sniff as run

    options = SniffOptions(
        interfaces=interface or (),
        ports=port or (),
        all_traffic=all_traffic,
        events=events,
        alerts=alerts,
        alerts_format=alerts_format,
        store=store,
        settings_path=config,
        internal_domains=internal_domain or (),
        limits=limit or (),
        json=json,
        quiet=quiet,
    )
    raise typer.Exit(status_of(lambda: run(options, os.environ)))


def relay(
    listen: Annotated[
        str | None, typer.Option(metavar="ADDRESS:PORT", help="Where clients reach it. By default relay.listen.")
    ] = None,
    next_hop: Annotated[
        str | None, typer.Option(metavar="HOST:PORT", help="Where mail is passed on to. By default relay.next_hop.")
    ] = None,
    events: EventsOption = None,
    alerts: AlertsOption = None,
    alerts_format: AlertsFormatOption = "jsonl",
    config: ConfigOption = None,
    internal_domain: InternalDomainOption = None,
    limit: LimitOption = None,
    json: JsonSummaryOption = False,
    quiet: QuietOption = False,
) -> None:
    """
    Stand between SMTP clients and their next hop, watch the mail, and where rules say so tag or refuse it.

    Several may share a port. Ctrl-C or SIGTERM: takes no more clients, and ends when no mail is on its way.
    """
    from sensor.app.relay import RelayOptions
    from sensor.app.relay import relay as run

    options = RelayOptions(
        listen=listen,
        next_hop=next_hop,
        events=events,
        alerts=alerts,
        alerts_format=alerts_format,
        settings_path=config,
        internal_domains=internal_domain or (),
        limits=limit or (),
        json=json,
        quiet=quiet,
    )
    raise typer.Exit(status_of(lambda: run(options, os.environ)))


def milter(
    listen: Annotated[
        list[str] | None,
        typer.Option(
            metavar="unix:PATH|inet:HOST:PORT", help="Where MTAs reach it. Repeatable. By default milter.listen."
        ),
    ] = None,
    events: EventsOption = None,
    alerts: AlertsOption = None,
    alerts_format: AlertsFormatOption = "jsonl",
    config: ConfigOption = None,
    internal_domain: InternalDomainOption = None,
    limit: LimitOption = None,
    json: JsonSummaryOption = False,
    quiet: QuietOption = False,
) -> None:
    """Watch, and where rules say so tag or refuse, the mail of a Postfix or Sendmail, until Ctrl-C or SIGTERM."""
    from sensor.app.milter import MilterOptions
    from sensor.app.milter import milter as run

    options = MilterOptions(
        listen=listen or (),
        events=events,
        alerts=alerts,
        alerts_format=alerts_format,
        settings_path=config,
        internal_domains=internal_domain or (),
        limits=limit or (),
        json=json,
        quiet=quiet,
    )
    raise typer.Exit(status_of(lambda: run(options, os.environ)))


def journal(
    events: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="Add one JSON record a line for each mail; required. A copy is acknowledged when its records are on "
            "disk.",
        ),
    ] = None,
    listen: Annotated[
        str | None, typer.Option(metavar="HOST:PORT", help="Where to listen in place of journal.listen.")
    ] = None,
    address: Annotated[
        list[str] | None,
        typer.Option(metavar="ADDRESS", help="An address that copies are sent to; others are refused. Repeatable."),
    ] = None,
    peer: Annotated[
        list[str] | None,
        typer.Option(metavar="NETWORK", help="Where copies may come from. Repeatable; by default this machine alone."),
    ] = None,
    alerts: AlertsOption = None,
    alerts_format: AlertsFormatOption = "jsonl",
    config: ConfigOption = None,
    internal_domain: InternalDomainOption = None,
    limit: LimitOption = None,
    json: JsonSummaryOption = False,
    quiet: QuietOption = False,
) -> None:
    """Take copies of mail in by SMTP (Exchange journal, Workspace routing, Postfix BCC) until Ctrl-C."""
    from sensor.app.journal import JournalOptions
    from sensor.app.journal import journal as run

    options = JournalOptions(
        listen=listen,
        addresses=address or (),
        peers=peer or (),
        events=events,
        alerts=alerts,
        alerts_format=alerts_format,
        settings_path=config,
        internal_domains=internal_domain or (),
        limits=limit or (),
        json=json,
        quiet=quiet,
    )
    raise typer.Exit(status_of(lambda: run(options, os.environ)))


def run(
    config: Annotated[str, typer.Option(*CONFIG, metavar="FILE", help="Settings file (TOML).")],
) -> None:
    """
    Run as a service, from the sources that the settings name to alerts, metrics and an API, until SIGTERM.

    SIGHUP reads the settings anew.
    """
    from sensor.app.run import RunOptions
    from sensor.app.run import run as work

    raise typer.Exit(status_of(lambda: work(RunOptions(config), os.environ)))
