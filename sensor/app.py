"""The one place that builds the parts and joins them."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import ip_address
from itertools import chain, islice
from types import FrameType
from typing import BinaryIO, Protocol

import msgspec

from sensor.classify import NONE, ArtifactError, Organisation, Table, load_table
from sensor.classify.inference import infer_domains
from sensor.ledger import LIMITS as LEDGER_LIMITS
from sensor.ledger import Ledger
from sensor.log import Log, printable
from sensor.model import Direction, Event, Forwarding, Transaction
from sensor.pipeline import Pipeline
from sensor.settings import Limit, Settings, SettingsError, load_settings
from sensor.taps.base import Batch, Tap, TapError

READ_WHOLE, READ_NOTHING, READ_WITH_DAMAGE, INTERRUPTED = 0, 1, 3, 130
USER_ERRORS = (SettingsError, TapError, ArtifactError)
"""What the caller of the command line can put right."""

# Damage of these kinds means that a file gave nothing at all.
_NOTHING_READ = frozenset(("unreadable", "empty", "not_a_capture"))


@dataclass(frozen=True, slots=True)
class ReplayOptions:
    """What the command line asks of a replay. *events* is a path, ``-`` for standard output, or none."""

    paths: Sequence[str]
    events: str | None = None
    settings_path: str | None = None
    internal_domains: Sequence[str] = ()
    limits: Sequence[str] = ()
    json: bool = False
    quiet: bool = False


class Progress(Protocol):
    """Told how far a tap has come."""

    def update(self, done: int, total: int, path: str) -> None: ...


def replay(options: ReplayOptions, environment: Mapping[str, str]) -> int:
    """
    Read the captures, write records if asked to, print the summary, and return the exit status.

    Raises ``SettingsError`` and ``TapError`` for what the caller must put right, ``OSError`` for records not written.
    """
    from sensor.taps.capture import CaptureTap, core_limits
    from sensor.taps.files import find_captures

    settings = load_settings(
        options.settings_path,
        environment,
        known_limits=[*core_limits(), *LEDGER_LIMITS],
        internal_domains=options.internal_domains,
        limit_options=options.limits,
    )
    table = table_in_force(settings, options.settings_path)
    found = find_captures(options.paths)
    core, own = _split_limits(settings.limits, core_limits())
    tap = CaptureTap(found.paths, table.interest, limits=core)
    with _records(options.events) as sink, _progress(quiet=options.quiet) as progress:
        run = run_tap(tap, settings, table=table, own_limits=own, sink=sink, progress=progress, infers_domains=True)
    if options.quiet:
        _log_problems(Log(), tap, found.problems)
    else:
        _print_summary(run, tap, settings, found.problems, as_json=options.json, to_stderr=options.events == "-")
    return exit_status(run, tap, len(found.paths), bool(found.problems))


@dataclass(frozen=True, slots=True)
class Run:
    """A tap read to its end."""

    pipeline: Pipeline
    interrupted: bool
    inferred_domains: tuple[str, ...] = ()


def run_tap(
    tap: Tap,
    settings: Settings,
    *,
    table: Table | None = None,
    own_limits: Mapping[str, int] | None = None,
    sink: BinaryIO | None = None,
    progress: Progress | None = None,
    infers_domains: bool = False,
) -> Run:
    """
    Take every batch of *tap* through the pipeline, its records to *sink*. Ctrl-C ends the reading, not the run.

    With *infers_domains*, and where the settings name no domain, ours are worked out from the first mails.
    """
    blocks = ForwardingBlocks()
    with _stop_on_interrupt(tap.stop) as interrupted:
        domains, batches = settings.organisation.internal_domains, tap.batches()
        inferred: tuple[str, ...] = ()
        if infers_domains and not domains:
            inferred, batches = _inferred_from(batches, tap.transaction_type)
        organisation = Organisation(domains or inferred, settings.organisation.internal_networks)
        ledger = Ledger(watches=organisation.owns if organisation.known else None, limits=own_limits)
        pipeline = Pipeline(
            organisation,
            ledger,
            transaction_type=tap.transaction_type,
            session_type=tap.session_type,
            table=table,
        )
        for batch in batches:
            verdicts = pipeline.take(batch.tally(classify_all=pipeline.classifies_all))
            if sink is not None and len(batch):
                sink.write(
                    batch.to_json_lines(
                        blocks.encode(verdicts.forwardings), blocks.none, sensor=settings.sensor.name, tap=tap.name
                    )
                )
            if progress is not None:
                progress.update(*tap.progress())
    return Run(pipeline, interrupted.is_set(), inferred)


# Mails from which domains are worked out: enough to tell an organisation from its partners, and read in milliseconds.
INFERENCE_MAILS = 2_048
# Batches held back meanwhile. A source that trickles gives many small ones, and nobody wants to wait for all.
INFERENCE_BATCHES = 64


def _inferred_from(
    batches: Iterator[Batch], transaction_type: type[Transaction]
) -> tuple[tuple[str, ...], Iterator[Batch]]:
    """The domains that the first batches show to be ours, and all batches, those looked at included."""
    held: list[Batch] = []
    mails: list[Transaction] = []
    for batch in batches:
        held.append(batch)
        mails += (event for event in islice(batch, INFERENCE_MAILS) if isinstance(event, transaction_type))
        if len(mails) >= INFERENCE_MAILS or len(held) >= INFERENCE_BATCHES:
            break
    return infer_domains(mails[:INFERENCE_MAILS]), chain(held, batches)


def table_in_force(settings: Settings, path: str | None) -> Table:
    """The artifact table with the user's own rows. Raises ``ArtifactError``, which names the settings file."""
    try:
        return load_table(settings.artifacts.row)
    except ArtifactError as error:
        raise ArtifactError(f"{path or 'settings'}: artifacts.row: {error}") from None


class ForwardingBlocks:
    """Prints ``forwarding`` blocks as JSON. Those of ordinary mail differ by direction only and are printed once."""

    def __init__(self) -> None:
        self.none = msgspec.json.encode(NONE)
        self._plain: dict[Direction, bytes] = {}
        self._encode = msgspec.json.Encoder().encode

    def encode(self, forwardings: Mapping[int, Forwarding]) -> dict[int, bytes]:
        return {index: self._block(forwarding) for index, forwarding in forwardings.items()}

    def _block(self, forwarding: Forwarding) -> bytes:
        if forwarding.artifacts or forwarding.look_alike is not None:
            return self._encode(forwarding)
        block = self._plain.get(forwarding.direction)
        if block is None:
            block = self._plain[forwarding.direction] = self._encode(forwarding)
        return block


def exit_status(run: Run, tap: Tap, files: int, passed_over: bool) -> int:
    """
    130 for an interrupted run, 1 where no file gave anything, 3 where something was damaged or passed over, else 0.
    """
    if run.interrupted:
        return INTERRUPTED
    damage = tap.damage()
    nothing = {each.path for each in damage if each.kind in _NOTHING_READ}
    if len(nothing) >= files:
        return READ_NOTHING
    return READ_WITH_DAMAGE if damage or passed_over else READ_WHOLE


@dataclass(frozen=True, slots=True)
class ExplainOptions:
    """What the command line asks of an explanation."""

    paths: Sequence[str]
    mail_from: str | None = None
    rcpt_to: Sequence[str] = ()
    helo: str | None = None
    client_ip: str | None = None
    transactions: Sequence[str] = ()
    settings_path: str | None = None
    internal_domains: Sequence[str] = ()
    json: bool = False

    @property
    def gives_envelope(self) -> bool:
        """True if any part of the envelope is given."""
        return bool(self.rcpt_to) or any(each is not None for each in (self.mail_from, self.helo, self.client_ip))


def explain(options: ExplainOptions, environment: Mapping[str, str]) -> int:
    """
    Print why each mail is, or is not, a forward; what is no mail is told on standard error, and the rest go on.

    Raises ``SettingsError``, ``TapError`` and ``ArtifactError`` for what the caller must put right.
    """
    settings = _settings(options.settings_path, environment, options.internal_domains)
    table = table_in_force(settings, options.settings_path)
    if options.transactions:
        return _explain_transactions(options, settings, table)
    return _explain_files(options, settings, table)


def _explain_files(options: ExplainOptions, settings: Settings, table: Table) -> int:
    from sensor.explain import Explainer
    from sensor.report.explain import as_json_line, render_explanation
    from sensor.taps.mailfiles import MailEnvelope, find_mails

    explainer = Explainer(
        table,
        Organisation(settings.organisation.internal_domains, settings.organisation.internal_networks),
        MailEnvelope(options.mail_from, tuple(options.rcpt_to), options.helo, _address(options.client_ip)),
    )
    render = as_json_line if options.json else render_explanation
    read = problems = 0
    for found in find_mails(options.paths):
        if found.problem is not None:
            problems += 1
            _print(f"mailsensor: {printable(found.name)}: {found.problem}\n", to_stderr=True)
            continue
        read += 1
        _print(render(explainer.explain(found.name, found.octets)))
    if not read:
        return READ_NOTHING
    return READ_WITH_DAMAGE if problems else READ_WHOLE


def _address(client_ip: str | None) -> str | None:
    try:
        return str(ip_address(client_ip)) if client_ip is not None else None
    except ValueError:
        raise SettingsError(f'--client-ip: "{client_ip}" is no IP address') from None


def _explain_transactions(options: ExplainOptions, settings: Settings, table: Table) -> int:
    """Explain mails of captures by the ids that records and alerts name them by, as a replay judges them."""
    from sensor.explain import explain_transaction
    from sensor.report.explain import as_json_line, render_explanation
    from sensor.taps.capture import CaptureTap, core_limits
    from sensor.taps.files import find_captures

    if options.gives_envelope:
        raise SettingsError(
            "--transaction: a capture holds the envelope; leave --mail-from, --rcpt-to, --helo and --client-ip out"
        )
    found = find_captures(options.paths)
    core_settings, _ = _split_limits(settings.limits, core_limits())
    tap = CaptureTap(found.paths, table.interest, limits=core_settings)
    organisation, batches = _organisation_of(settings, tap)
    missing, explained, problems = set(options.transactions), 0, list(found.problems)
    for event in _events_by_id(tap, batches, missing):
        if not isinstance(event, tap.transaction_type):
            problems.append(f"{event.id}: a session that turned to TLS: its mail could not be read")
            continue
        explained += 1
        explanation = explain_transaction(event, organisation, table)
        _print(as_json_line(explanation, "transaction") if options.json else render_explanation(explanation))
    problems += [f"{each.path}: {each.detail}" for each in tap.damage()]
    problems += [f"{each}: no transaction of this id was found" for each in sorted(missing)]
    for problem in problems:
        _print(f"mailsensor: {printable(problem)}\n", to_stderr=True)
    if not explained:
        return READ_NOTHING
    return READ_WITH_DAMAGE if problems else READ_WHOLE


def _organisation_of(settings: Settings, tap: Tap) -> tuple[Organisation, Iterator[Batch]]:
    """Who we are, by the settings or, as in a replay, by the traffic; and all of the tap's batches."""
    domains, batches = settings.organisation.internal_domains, tap.batches()
    if not domains:
        domains, batches = _inferred_from(batches, tap.transaction_type)
        if domains:
            told = ", ".join(map(printable, domains))
            _print(f"mailsensor: taken for yours: {told} (by the traffic; --internal-domain says it)\n", to_stderr=True)
    return Organisation(domains, settings.organisation.internal_networks), batches


def _events_by_id(tap: Tap, batches: Iterator[Batch], wanted: set[str]) -> Iterator[Event]:
    """The events that are *wanted*, each taken out of it; the reading ends when none is left."""
    for batch in batches:
        for event in batch:
            if event.id in wanted:
                wanted.discard(event.id)
                yield event
        if not wanted:
            tap.stop()
            return


def show_artifacts(settings_path: str | None, environment: Mapping[str, str], *, as_json: bool = False) -> int:
    """Print the artifact table in force. Raises ``SettingsError`` and ``ArtifactError``."""
    from sensor.report.artifacts import render_artifacts, rows_as_json

    table = table_in_force(_settings(settings_path, environment), settings_path)
    _print(rows_as_json(table) if as_json else render_artifacts(table))
    return READ_WHOLE


def _settings(path: str | None, environment: Mapping[str, str], internal_domains: Sequence[str] = ()) -> Settings:
    from sensor.taps.capture import core_limits

    return load_settings(
        path, environment, known_limits=[*core_limits(), *LEDGER_LIMITS], internal_domains=internal_domains
    )


def _print(text: str, *, to_stderr: bool = False) -> None:
    """To standard output: a terminal or pipe in an old encoding gets what it can show, never an error."""
    out = sys.stderr if to_stderr else sys.stdout
    out.buffer.write(text.encode(out.encoding or "utf-8", "backslashreplace"))
    out.flush()


def _log_problems(log: Log, tap: Tap, passed_over: Sequence[str]) -> None:
    """Without a summary, what went wrong is told all the same."""
    for text in passed_over:
        log.warning("passed_over", what=text)
    for each in tap.damage():
        log.warning("damage", path=each.path, kind=each.kind, offset=each.offset, detail=each.detail)


def _split_limits(limits: Mapping[str, int], core: Sequence[Limit]) -> tuple[dict[str, int], dict[str, int]]:
    """The core's limits and our own."""
    names = {name for name, _, _ in core}
    ours = {name: value for name, value in limits.items() if name not in names}
    return {name: value for name, value in limits.items() if name in names}, ours


def _print_summary(
    run: Run, tap: Tap, settings: Settings, passed_over: Sequence[str], *, as_json: bool, to_stderr: bool
) -> None:
    from sensor.report.summary import summarise

    summary = summarise(
        run.pipeline.ledger,
        run.pipeline.coverage,
        top_mailboxes=settings.replay.top_mailboxes,
        direction_known=bool(settings.organisation.internal_domains or run.inferred_domains),
        inferred_domains=run.inferred_domains,
        interrupted=run.interrupted,
        damage=tap.damage(),
        passed_over=passed_over,
        counters=tap.counters(),
        anomalies=tap.anomalies(),
    )
    if as_json:
        text = msgspec.json.encode(summary).decode() + "\n"
    else:
        from sensor.report.terminal import render

        text = render(summary)
    _print(text, to_stderr=to_stderr)


# ---- around the run: records, progress, Ctrl-C


@contextmanager
def _records(target: str | None) -> Iterator[BinaryIO | None]:
    """Where records go: a file, standard output, or nowhere."""
    if target is None:
        yield None
    elif target == "-":
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
    else:
        try:
            file = open(target, "wb")  # noqa: SIM115 - closed by the with below; only its opening is ours to explain
        except OSError as error:
            raise TapError(f"--events {target}: can't be written: {error.strerror}") from None
        with file:
            yield file


@contextmanager
def _progress(*, quiet: bool) -> Iterator[Progress | None]:
    """A bar on standard error if somebody is there to look at it."""
    if quiet or not sys.stderr.isatty() or os.environ.get("TERM") == "dumb":
        yield None
        return
    from sensor.report.progress import Bar

    with Bar(sys.stderr) as bar:
        yield bar


@contextmanager
def _stop_on_interrupt(stop: Callable[[], None]) -> Iterator[threading.Event]:
    """
    Make the first Ctrl-C call *stop*, so that it never breaks into the middle of a batch; a second one ends at once.

    Outside the main thread signals can't be taken, and the event stays unset.
    """
    interrupted = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield interrupted
        return

    def handle(_signal: int, _frame: FrameType | None) -> None:
        if interrupted.is_set():
            raise KeyboardInterrupt
        interrupted.set()
        stop()

    before = signal.signal(signal.SIGINT, handle)
    try:
        yield interrupted
    finally:
        signal.signal(signal.SIGINT, before)
