"""Commands that answer: would it work, why is a mail a forward, what was kept, what do alerts say."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from sensor.cli.ending import status_of
from sensor.cli.options import CONFIG, ConfigOption, InternalDomainOption, KeyOption


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
    raise typer.Exit(status_of(lambda: run(options, os.environ)))


def artifacts(
    config: Annotated[
        str | None, typer.Option(*CONFIG, metavar="FILE", help="Settings file (TOML), for rows of your own.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object a line, with all keys of a row.")] = False,
) -> None:
    """Print the artifact table in force."""
    from sensor.app.artifacts import show_artifacts

    raise typer.Exit(status_of(lambda: show_artifacts(config, os.environ, as_json=json)))


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
    raise typer.Exit(status_of(lambda: run(options, os.environ)))


def report(
    subject: Annotated[
        str, typer.Argument(metavar="mailboxes|destinations|alerts", help="What to print.")
    ] = "mailboxes",
    store: Annotated[str, typer.Option(metavar="FILE", help="The file that replay --store keeps; required.")] = "",
    since: Annotated[
        str | None,
        typer.Option(
            metavar="WHEN", help="Only what went on since a day (2026-11-22), or a span before the latest mail (7d)."
        ),
    ] = None,
    top: Annotated[int | None, typer.Option(metavar="N", min=1, help="Only the first N.")] = None,
    form: Annotated[
        str,
        typer.Option(
            "--format",
            metavar="table|json|csv|html",
            help="How to print it; html is the incident report, of everything.",
        ),
    ] = "table",
    key: KeyOption = None,
) -> None:
    """Print what runs with --store have kept: mailboxes that forward, where to, and alerts."""
    from sensor.app.report import ReportOptions
    from sensor.app.report import report as run

    if not store:
        raise typer.BadParameter("name the file that replay --store keeps", param_hint="--store")
    options = ReportOptions(store=store, subject=subject, since=since, form=form, top=top, key_file=key)
    raise typer.Exit(status_of(lambda: run(options)))


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
    raise typer.Exit(status_of(lambda: show_alerts(options)))
