"""The command line: arguments in, exit status out. What is done stands in ``app``."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

EXIT_STATUS = """
Exit status: 0 everything was read; 1 nothing could be read, the run could not be kept, or a setting is wrong; 2 wrong
usage; 3 read, but with damage or parts passed over, or alerts reached nobody; 130 interrupted, with the
summary of what was read so far; 141 the reader of the output went away.
"""

SNIFF_STATUS = """
Exit status: 0 captured until told to stop; 1 an interface can't be captured, or a setting is wrong; 2 wrong usage; 3
captured, but frames were dropped or an interface was away; 141 the reader of the output went away.
"""

RUN_STATUS = "Exit status: 0 ran until told to stop; 1 it could not start or go on, and says why; 2 wrong usage."

DONE_STATUS = "Exit status: 0 done; 1 it could not be done, and says why; 2 wrong usage."

ALERTS_STATUS = """
Exit status: 0 all was read; 1 nothing was, or a setting is wrong; 2 wrong usage; 3 lines could not be read, or evidence
is not as it was written.
"""

CHECK_STATUS = """
Exit status: 0 all is well; 1 it would work, less well than it could; 2 it would not work, or wrong usage. With
--probe-mail: 0 every tap saw the mail; 1 some did; 2 nothing is proven.
"""

RELAY_STATUS = """
Exit status: 0 relayed until told to stop; 1 the address can't be listened on, or a setting is wrong; 2 wrong usage; 3
relayed, but records could not be written.
"""

MILTER_STATUS = """
Exit status: 0 served until told to stop; 1 an address can't be listened on, or a setting is wrong; 2 wrong usage; 3
served, but mail passed unseen; 141 the reader of the output went away.
"""

JOURNAL_STATUS = """
Exit status: 0 took copies in until told to stop; 1 it can't listen or write, or a setting is wrong; 2 wrong usage; 3
copies were deferred, or could not be read for what they claim to be; 141 the reader of the output went away.
"""


class _Commands(TyperGroup):
    """
    The commands; their text and flags are taken as they stand.

    Typer has pydantic look at each value that was given, and importing that takes a third of a start. It is asked for
    what is neither text nor a flag (numbers with bounds), and by a typer that does not ask pydantic nothing changes.
    """

    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **settings)
        for command in (self, *self.commands.values()):
            for parameter in command.params:
                _spare(parameter)
            # The option --help is made when it is first asked for.
            setattr(command, "get_help_option", _Sparing(command.get_help_option))  # noqa: B010 - no method to mypy


class _Sparing:
    """Gives what *make* makes for a context, taken as it stands."""

    def __init__(self, make: Callable[[Any], Any]) -> None:
        self._make = make

    def __call__(self, ctx: Any) -> Any:
        return _spare(self._make(ctx))


def _spare(parameter: Any) -> Any:
    """*parameter*, which from now on asks pydantic only where it has to."""
    look = getattr(parameter, "get_runtime_param", None)
    if look is not None and not isinstance(look, _AsItStands):
        parameter.get_runtime_param = _AsItStands(look)
    return parameter


class _AsItStands:
    """Gives text, flags, lists of text and what was not given back; *look* gives what looks at everything else."""

    def __init__(self, look: Callable[[], Any]) -> None:
        self._look = look

    def __call__(self) -> _AsItStands:
        return self

    def coerce(self, value: Any, *, param: Any, ctx: Any) -> Any:
        """The value for the command. Raises typer's ``BadParameter``."""
        kind = param.type_descriptor.annotation
        if value is None:
            return () if param.multiple or param.nargs == -1 else None
        if kind in (str, bool) and type(value) is kind:
            return value
        if kind == list[str] and isinstance(value, list | tuple) and all(type(each) is str for each in value):
            return list(value)
        return self._look().coerce(value, param=param, ctx=ctx)


cli = typer.Typer(
    cls=_Commands,
    name="mailsensor",
    help="Reads mail flow off the wire and tells which mailbox forwards what, to whom, and how sure that is.",
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


# ---- options that several commands have

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
# Each of them by both names: whoever knows one command's is understood by all.
_CONFIG = ("--config", "--settings")
ConfigOption = Annotated[str | None, typer.Option(*_CONFIG, metavar="FILE", help="Settings file (TOML).")]
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
LimitOption = Annotated[list[str] | None, typer.Option(metavar="NAME=VALUE", help="Change a limit. Repeatable.")]
JsonSummaryOption = Annotated[bool, typer.Option("--json", help="Print the summary as one JSON object.")]


# ---- commands


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


@cli.command(epilog=EXIT_STATUS)
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
    raise typer.Exit(_status_of(lambda: run(options, os.environ)))


@cli.command(epilog=SNIFF_STATUS)
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
    raise typer.Exit(_status_of(lambda: run(options, os.environ)))


@cli.command(epilog=RELAY_STATUS)
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
    raise typer.Exit(_status_of(lambda: run(options, os.environ)))


@cli.command(epilog=MILTER_STATUS)
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
    raise typer.Exit(_status_of(lambda: run(options, os.environ)))


@cli.command(epilog=JOURNAL_STATUS)
def journal(
    events: Annotated[
        str | None,
        typer.Option(
            metavar="FILE|-",
            help="Add one JSON record a line for each mail. A copy is acknowledged when its records are on disk.",
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
    raise typer.Exit(_status_of(lambda: run(options, os.environ)))


@cli.command(epilog=EXIT_STATUS)
def explain(
    paths: Annotated[
        list[str],
        typer.Argument(
            metavar="FILE",
            help="Mails (.eml), mbox files, directories of either, or - for standard input; with --transaction, "
            "captures or directories of them.",
        ),
    ],
    mail_from: Annotated[
        str | None,
        typer.Option(metavar="ADDRESS", help="The reverse-path. Without it, Return-Path is taken."),
    ] = None,
    rcpt_to: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ADDRESS",
            help="A forward-path. Repeatable. Without any, X-Original-To, Delivered-To, Envelope-to, the topmost "
            "Received line, or To and Cc are taken.",
        ),
    ] = None,
    helo: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="The sending host's name. Without it, a Received line tells."),
    ] = None,
    client_ip: Annotated[
        str | None,
        typer.Option(metavar="IP", help="The sending host's address. Without it, a Received line tells."),
    ] = None,
    transaction: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ID",
            help="Explain the mail of that id, as records and alerts name it, from captures, by the envelope that was "
            "seen. Repeatable.",
        ),
    ] = None,
    internal_domain: InternalDomainOption = None,
    config: ConfigOption = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object a line: file and forwarding.")] = False,
) -> None:
    """Show why a mail is, or is not, taken for a forward: each mark, each rule of trust, the verdict."""
    from sensor.app.explain import ExplainOptions
    from sensor.app.explain import explain as run

    options = ExplainOptions(
        paths=paths,
        mail_from=mail_from,
        rcpt_to=rcpt_to or (),
        helo=helo,
        client_ip=client_ip,
        transactions=transaction or (),
        settings_path=config,
        internal_domains=internal_domain or (),
        json=json,
    )
    raise typer.Exit(_status_of(lambda: run(options, os.environ)))


@cli.command(epilog=DONE_STATUS)
def artifacts(
    config: Annotated[
        str | None, typer.Option(*_CONFIG, metavar="FILE", help="Settings file (TOML), for rows of your own.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object a line, with all keys of a row.")] = False,
) -> None:
    """Print the artifact table in force."""
    from sensor.app.artifacts import show_artifacts

    raise typer.Exit(_status_of(lambda: show_artifacts(config, os.environ, as_json=json)))


@cli.command(epilog=RUN_STATUS)
def run(
    config: Annotated[str, typer.Option(*_CONFIG, metavar="FILE", help="Settings file (TOML).")],
) -> None:
    """
    Run as a service, from the sources that the settings name to alerts, metrics and an API, until SIGTERM.

    SIGHUP reads the settings anew.
    """
    from sensor.app.run import RunOptions
    from sensor.app.run import run as work

    raise typer.Exit(_status_of(lambda: work(RunOptions(config), os.environ)))


@cli.command(epilog=CHECK_STATUS)
def check(
    config: ConfigOption = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object: status, and each check.")] = False,
    probe: Annotated[bool, typer.Option("--probe", help="Also ask the sinks of alerts whether they answer.")] = False,
    probe_mail: Annotated[
        str | None,
        typer.Option(
            metavar="FROM,TO",
            help="Look at nothing of that, but send a small mail and ask the sensor that runs whether it saw it.",
        ),
    ] = None,
    via: Annotated[
        str | None, typer.Option(metavar="HOST:PORT", help="The mail server, or relay, that takes the probe mail.")
    ] = None,
    probe_forward: Annotated[
        bool,
        typer.Option(
            "--probe-forward",
            help="The probe mail looks like a forward of FROM to TO, and counts as one: rules meet it.",
        ),
    ] = False,
    probe_wait: Annotated[
        float, typer.Option(metavar="SECONDS", help="How long the sensor may take to show the probe mail.")
    ] = 15.0,
    api_login: Annotated[
        str | None,
        typer.Option(
            metavar="FILE", help="A file with one line, name:password of a user in web.config_file, to ask the sensor."
        ),
    ] = None,
) -> None:
    """Look at settings, rights, interfaces, files, ports and clock, as the service would, and say how to fix it."""
    from sensor.app.check import CheckOptions
    from sensor.app.check import check as run
    from sensor.app.probing import ProbeOptions

    probing = None
    if probe_mail is not None:
        probing = ProbeOptions(probe_mail, via, as_forward=probe_forward, wait_s=probe_wait, login_path=api_login)
    elif via is not None or probe_forward or api_login is not None:
        raise typer.BadParameter("go with --probe-mail FROM,TO", param_hint="--via, --probe-forward, --api-login")
    options = CheckOptions(settings_path=config, json=json, probe=probe, probe_mail=probing)
    raise typer.Exit(_status_of(lambda: run(options, os.environ)))


@cli.command(epilog=DONE_STATUS)
def report(
    subject: Annotated[str, typer.Argument(metavar="mailboxes|destinations|alerts")] = "mailboxes",
    store: Annotated[str, typer.Option(metavar="FILE", help="The file that replay --store keeps; required.")] = "",
    since: Annotated[
        str | None,
        typer.Option(
            metavar="WHEN", help="Only what went on since a day (2026-11-22), or a span before the latest mail (7d)."
        ),
    ] = None,
    top: Annotated[int | None, typer.Option(metavar="N", min=1, help="Only the first N.")] = None,
    form: Annotated[str, typer.Option("--format", metavar="table|json|csv", help="How to print it.")] = "table",
    key: KeyOption = None,
) -> None:
    """Print what runs with --store have kept: mailboxes that forward, where to, and alerts."""
    from sensor.app.report import ReportOptions
    from sensor.app.report import report as run

    if not store:
        raise typer.BadParameter("name the file that replay --store keeps", param_hint="--store")
    options = ReportOptions(store=store, subject=subject, since=since, form=form, top=top, key_file=key)
    raise typer.Exit(_status_of(lambda: run(options)))


@cli.command(epilog=ALERTS_STATUS)
def alerts(
    path: Annotated[
        str,
        typer.Argument(
            metavar="FILE", help="Alerts as JSON Lines, - for standard input, or the file that replay --store keeps."
        ),
    ],
    show: Annotated[
        str | None,
        typer.Option(
            metavar="ID", help="One alert whole, with evidence and next steps. The beginning of an id is enough."
        ),
    ] = None,
    verify: Annotated[
        bool, typer.Option("--verify", help="Say whether the evidence is as it was written. Exit status 3 if not.")
    ] = False,
    mailbox: Annotated[str | None, typer.Option(metavar="ADDRESS", help="List what is about this mailbox.")] = None,
    destination: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="List what is about this destination.")
    ] = None,
    key: KeyOption = None,
) -> None:
    """List the alerts of a file, show one whole, or verify their evidence."""
    from sensor.app.alerts import AlertsOptions, show_alerts

    options = AlertsOptions(path=path, show=show, verify=verify, mailbox=mailbox, destination=destination, key_file=key)
    raise typer.Exit(_status_of(lambda: show_alerts(options)))


@cli.command(epilog=DONE_STATUS)
def allow(
    config: Annotated[str, typer.Option(*_CONFIG, metavar="FILE", help="Settings file (TOML) to add the entry to.")],
    reason: Annotated[str, typer.Option(metavar="TEXT", help="Why it is allowed; required.")],
    expires: Annotated[str, typer.Option(metavar="YYYY-MM-DD", help="The last day on which it holds; required.")],
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
    raise typer.Exit(_status_of(lambda: run(config, parts, os.environ, today)))


@cli.command(epilog=DONE_STATUS)
def reveal(
    names: Annotated[
        list[str],
        typer.Argument(
            metavar="PSEUDONYM", help="What is to be revealed; - for all pseudonyms in a text on standard input."
        ),
    ],
    key: Annotated[str, typer.Option(metavar="FILE", help="The key file (privacy.key_file); required.")],
) -> None:
    """Turn pseudonyms back into addresses, by the key that they were made with."""
    from sensor.app.reveal import RevealOptions
    from sensor.app.reveal import reveal as run

    raise typer.Exit(_status_of(lambda: run(RevealOptions(names, key))))


@cli.command(epilog=DONE_STATUS)
def key(
    path: Annotated[str, typer.Argument(metavar="FILE", help="The key file (privacy.key_file).")],
    add: Annotated[bool, typer.Option("--add", help="Put a new key in: it names from the next start on.")] = False,
) -> None:
    """Print the ids of the keys in a key file, as pseudonyms carry them; or put a new key in."""
    from sensor.app.reveal import show_keys

    raise typer.Exit(_status_of(lambda: show_keys(path, adds=add)))


def run_cli() -> int:
    """Run the command line of this process and return its exit status."""
    _open_closed_streams()
    try:
        cli(prog_name="mailsensor")
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    return 0


def _status_of(work: Callable[[], int]) -> int:
    """The exit status of *work*. Every error that a user can put right becomes one line, never a traceback."""
    from sensor.errors import UserError

    try:
        status = work()
        # What is still in the buffer may be what finds out that its reader is gone.
        sys.stdout.flush()
    except UserError as error:
        return _complain(str(error))
    except BrokenPipeError:
        return _reader_went_away()
    except OSError as error:
        return _complain(f"{error.filename or 'output'}: {error.strerror or error}")
    except ImportError as error:
        if "_core" not in str(error):
            raise
        return _complain(
            f"the Rust core is not built for this Python ({error}); install the package, or build it in place"
        )
    except KeyboardInterrupt:
        return 130
    return status


def _open_closed_streams() -> None:
    """Started with a standard stream closed (``>&-``), Python has none at all: what is written there goes nowhere."""
    if sys.stdout is None:
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 - lives as long as the process
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 - lives as long as the process


def _complain(message: str) -> int:
    from sensor.log import printable

    print(f"mailsensor: {printable(message)}", file=sys.stderr)
    return 1


def _reader_went_away() -> int:
    """As in ``mailsensor ... | head``: end quietly, with the status that other tools end with on a closed pipe."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, sys.stdout.fileno())
    return 141
