"""Holds records against the truth of a case (`pcaps/CASES.md`): each finding is a sentence, none means all is true."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.sensing import Told

Table = dict[str, Any]


def untruths(case: Table, told: Told) -> list[str]:
    """What the sensor told that the case says otherwise, or left untold."""
    return _lab_untruths(case, told) if case.get("source") == "real servers" else _crafted_untruths(case, told)


def _lab_untruths(case: Table, told: Told) -> list[str]:
    """A lab case names each hop by its two ends: any order of records that fits every claim is fine."""
    found = [f"damage is {each.kind}: {each.detail}" for each in told.damage]
    for kind, truths, records in (
        ("transaction", case.get("transactions"), told.transactions),
        ("session", case.get("tls_sessions"), told.sessions),
    ):
        # Where none is claimed, as for a capture of replies alone, whatever comes must at least own up to its holes.
        if truths is None:
            found += [f"an unclaimed {kind} is complete" for record in records if not is_incomplete(record)]
            continue
        found += _by_best_fit(kind, [_as_crafted(truth) for truth in truths], records)
    for secret in case["secrets"]:
        if secret.encode() in told.lines:
            found.append(f"the secret {secret!r} was told")
    return found


def _by_best_fit(kind: str, truths: list[Table], records: list[Table]) -> Iterator[str]:
    if len(truths) != len(records):
        yield f"{len(records)} {kind} records, not {len(truths)}"
        return
    rest = list(records)
    for number, truth in enumerate(truths):
        fit = min(rest, key=lambda record: len(list(differences(truth, record))))
        rest.remove(fit)
        for difference in differences(truth, fit):
            yield f"{kind} {number}: {difference}"


def _as_crafted(truth: Table) -> Table:
    """A lab truth in the words of crafted ones."""
    table = {key: value for key, value in truth.items() if key not in ("forwarding", "recipients")}
    if "recipients" in truth:
        table["recipients"] = [
            {"reply_code" if key == "code" else key: value for key, value in recipient.items()}
            for recipient in truth["recipients"]
        ]
    if claim := truth.get("forwarding"):
        table["forwarding"] = {key: claim[key] for key in ("kind", "mailbox", "destinations") if key in claim}
    return table


def is_incomplete(record: Table) -> bool:
    completeness = record["completeness"]
    return any(
        (completeness["missing_octets"], *(completeness[key] for key in ("one_sided", "midstream", "truncated")))
    )


def _crafted_untruths(case: Table, told: Told) -> list[str]:
    # Records come as transactions end; cases name them as they began, flow by flow where flows lie side by side.
    by_start = sorted(told.transactions, key=lambda record: record["started_at"])
    by_flow = sorted(by_start, key=lambda record: record["flow"]["src_ip"])
    orders = (told.transactions, by_start, by_flow)
    best = min((list(_transactions(case, order)) for order in orders), key=len)
    found = [*best, *_records("session", case.get("session", []), told.sessions)]
    if case.get("quiet"):
        found += [f"a quiet case has anomalies {each['anomalies']}" for each in told.records if each["anomalies"]]
    leasts = case.get("counters", {}).items()
    found += [
        f"counter {name} is {told.counters[name]}, not at least {least}"
        for name, least in leasts
        if told.counters[name] < least
    ]
    kinds = [each.kind for each in told.damage]
    if sorted(set(kinds)) != sorted(set(case.get("damage", []))):
        found.append(f"damage is {kinds}, not {case.get('damage', [])}")
    for secret in case.get("secrets", []):
        if secret.encode() in told.lines:
            found.append(f"the secret {secret!r} was told")
    return found


def _transactions(case: Table, records: list[Table]) -> Iterator[str]:
    expected, spare = case.get("transaction", []), case.get("further_transactions", 0)
    if len(records) < len(expected) or len(records) > len(expected) + spare:
        yield f"{len(records)} transactions, not {len(expected)} (and up to {spare} more)"
        return
    if len(records) == len(expected):
        yield from _records("transaction", expected, records)
        return
    # Further ones may stand anywhere: take the truths in order, each by the first record that fits it.
    rest = iter(records)
    for number, truth in enumerate(expected):
        if not any(not list(differences(truth, record)) for record in rest):
            yield f"no record fits transaction {number}: {truth}"
            return


def _records(kind: str, expected: list[Table], records: list[Table]) -> Iterator[str]:
    if len(expected) != len(records):
        yield f"{len(records)} {kind} records, not {len(expected)}"
        return
    for number, (truth, record) in enumerate(zip(expected, records, strict=True)):
        for difference in differences(truth, record):
            yield f"{kind} {number}: {difference}"


def differences(truth: Table, record: Table) -> Iterator[str]:  # noqa: C901, PLR0912 - a table, in the shape of a match
    flat = _flat(record)
    for key, value in truth.items():
        got: Any = flat.get(key)
        match key:
            case "unseen":
                yield from (
                    f"{name} is {flat.get(name)!r}, though it was not to be seen" for name in value if flat.get(name)
                )
            case "missing":
                if bool(flat["missing_octets"]) != value:
                    yield f"missing_octets is {flat['missing_octets']}, missing should be {value}"
            case "anomalies":
                absent = [slug for slug in value if slug not in got]
                if absent:
                    yield f"anomalies {absent} are not among {got}"
            case "outcome":
                if got not in ([value] if isinstance(value, str) else value):
                    yield f"outcome is {got}, not {value}"
            case "incomplete":
                if is_incomplete(record) != value:
                    yield f"completeness is {record['completeness']}, incomplete should be {value}"
            case "forwarding":
                differing = {name: got[name] for name, wanted in value.items() if got[name] != wanted}
                if differing:
                    yield f"forwarding: {differing}, not {value}"
            case "recipients" | "attachments":
                yield from _parts(key, value, got or [])
            case "reverse_path_params":
                yield from (
                    f"parameter {name} is {(got or {}).get(name, 'absent')!r}, not {wanted!r}"
                    for name, wanted in value.items()
                    if (got or {}).get(name, "absent") != (None if wanted is True else wanted)
                )
            case _:
                if got != value:
                    yield f"{key} is {got!r}, not {value!r}"


def _parts(key: str, expected: list[Table], got: list[Table]) -> Iterator[str]:
    if len(expected) != len(got):
        yield f"{len(got)} {key}, not {len(expected)}: {got}"
        return
    for wanted, part in zip(expected, got, strict=True):
        differing = {name: part.get(name) for name, value in wanted.items() if part.get(name) != value}
        if differing:
            yield f"{key}: {differing}, not {wanted}"


def _flat(record: Table) -> Table:
    """The record with the names that cases use."""
    header, reply = record.get("header") or {}, record.get("reply") or {}
    return {
        **record,
        **record["flow"],
        **record["completeness"],
        **record["session"],
        **{name: header.get(name) for name in ("subject", "message_id", "from", "to")},
        "recipients": record.get("forward_paths"),
        "reply_code": reply.get("code"),
        "client_octets": record.get("octets_client"),
        "server_octets": record.get("octets_server"),
    }
