"""What several commands need: settings, the artifact table, who we are, and exit statuses."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, islice

from sensor.classify import ArtifactError, Organisation, Table, load_table
from sensor.classify.inference import infer_domains
from sensor.detect import LIMITS as DETECT_LIMITS
from sensor.detect import known_options
from sensor.ledger import LIMITS as LEDGER_LIMITS
from sensor.ledger import Ledger
from sensor.model import TlsSession, Transaction
from sensor.pairing import LIMITS as PAIRING_LIMITS
from sensor.pipeline import Pipeline
from sensor.settings import Limit, Settings, load_settings
from sensor.taps.base import Batch

READ_WHOLE, READ_NOTHING, READ_WITH_DAMAGE, INTERRUPTED = 0, 1, 3, 130

OWN_LIMITS: tuple[Limit, ...] = (*LEDGER_LIMITS, *PAIRING_LIMITS, *DETECT_LIMITS)
"""The limits that are not the core's."""


def collect_seldom() -> None:
    """
    Let Python look for cycles seldom: what a batch makes is freed by counting, and what is kept (accounts, memory of
    pairs) are many objects that each look would walk over. It saves an eighth of the time.
    """
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


def settings_of(
    path: str | None,
    environment: Mapping[str, str],
    internal_domains: Sequence[str] = (),
    limits: Sequence[str] = (),
) -> Settings:
    """The settings in force; the last two are what the command line says. Raises ``SettingsError``."""
    from sensor.taps.capture import core_limits

    return load_settings(
        path,
        environment,
        known_limits=[*core_limits(), *OWN_LIMITS],
        known_detectors=known_options(),
        internal_domains=internal_domains,
        limit_options=limits,
    )


def table_in_force(settings: Settings, path: str | None) -> Table:
    """The artifact table with the user's own rows. Raises ``ArtifactError``, which names the settings file."""
    try:
        return load_table(settings.artifacts.row)
    except ArtifactError as error:
        raise ArtifactError(f"{path or 'settings'}: artifacts.row: {error}") from None


def split_limits(limits: Mapping[str, int], core: Sequence[Limit]) -> tuple[dict[str, int], dict[str, int]]:
    """The core's limits and our own."""
    names = {name for name, _, _ in core}
    ours = {name: value for name, value in limits.items() if name not in names}
    return {name: value for name, value in limits.items() if name in names}, ours


def organisation_of(settings: Settings, inferred_domains: Sequence[str] = ()) -> Organisation:
    """Who we are, by the settings; where they name no domain, *inferred_domains* are ours."""
    ours = settings.organisation
    return Organisation(ours.internal_domains or inferred_domains, ours.internal_networks)


def pipeline_for(
    organisation: Organisation,
    *,
    transaction_type: type[Transaction],
    session_type: type[TlsSession],
    table: Table | None,
    limits: Mapping[str, int] | None,
) -> Pipeline:
    """Classifier, ledger and pairing. Where no domain is known to be ours, every mailbox has an account."""
    return Pipeline(
        organisation,
        Ledger(watches=organisation.owns if organisation.known else None, limits=limits),
        transaction_type=transaction_type,
        session_type=session_type,
        table=table,
        limits=limits,
    )


# Mails from which domains are worked out: enough to tell an organisation from its partners, and read in milliseconds.
INFERENCE_MAILS = 2_048
# Batches held back meanwhile. A source that trickles gives many small ones, and nobody wants to wait for all.
INFERENCE_BATCHES = 64


def inferred_from(
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
