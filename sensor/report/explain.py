"""An explanation for a person to read: the verdict, then every mark with what speaks for and against it."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

import msgspec

from sensor.classify.rules import RULES
from sensor.classify.trust import Weighed
from sensor.explain import Explanation
from sensor.log import printable
from sensor.model import Forwarding

WIDTH = 100
# A value longer than this is cut in the middle: a References list or a forged field may have thousands of characters.
VALUE_CHARS = 160

_KINDS = {
    "auto": "an automatic forward",
    "visible": "a forward by a person's hand",
    "both": "an automatic forward that looks like one by hand",
}
_LEVELS = {
    "user": "the user, or whoever holds the user's account, set it up",
    "admin": "an administrator set it up",
    "either": "whether the user or an administrator set it up, the mail does not tell",
    "unknown": "who set it up, the mail does not tell",
}


def render_explanation(explanation: Explanation) -> str:
    """The explanation as text, ending in an empty line."""
    lines = [printable(explanation.name), *_wrapped(_verdict(explanation.judgement.forwarding), "  ")]
    lines += [line for note in explanation.seen for line in _wrapped(printable(note), "  seen: ", "    ")]
    lines += [line for note in explanation.assumptions for line in _wrapped(printable(note), "  assumed: ", "    ")]
    if not explanation.judgement.weighed:
        lines.append("  nothing in it tells of forwarding")
    for each in explanation.judgement.weighed:
        lines += _mark(each, explanation)
    return "\n".join(lines) + "\n\n"


def as_json_line(explanation: Explanation, key: str = "file") -> str:
    """One line: ``{"file": ..., "forwarding": ...}``; *key* says what the name is of, "file" or "transaction"."""
    told = {key: explanation.name, "forwarding": explanation.judgement.forwarding}
    return msgspec.json.encode(told).decode() + "\n"


def _verdict(forwarding: Forwarding) -> str:
    alike = f" (look-alike: {forwarding.look_alike})" if forwarding.look_alike is not None else ""
    if forwarding.kind == "none":
        text = f"verdict: no forward{alike}"
        if forwarding.mailbox is not None:
            text += f"; it reports that a forward by {printable(forwarding.mailbox)} was refused"
        return text
    whose = f" of {printable(forwarding.mailbox)}" if forwarding.mailbox is not None else ""
    to = ", ".join(map(printable, forwarding.destinations)) or "nobody known"
    return (
        f"verdict: {_KINDS[forwarding.kind]}{whose} to {to}; {forwarding.evidence} evidence; direction "
        f"{forwarding.direction}{alike}; {_LEVELS[forwarding.level]}"
    )


def _mark(weighed: Weighed, explanation: Explanation) -> Iterator[str]:
    match = weighed.match
    yield f"  {match.row.slug}: {_standing(weighed, explanation)}"
    yield from _wrapped(f"{printable(match.field)}: {_cut(printable(_in_one_line(match.value)))}", "    ")
    named = [f"mailbox {printable(match.mailbox)}"] if match.mailbox is not None else []
    named += [f"destination {printable(address)}" for address in match.destinations]
    if named:
        yield from _wrapped("names " + ", ".join(named), "    ")
    if weighed.leans_on:
        slugs = dict.fromkeys(each.row.slug for each in weighed.leans_on)
        yield from _wrapped("leans on " + ", ".join(slugs), "    ")
    for rule in weighed.passed:
        yield from _wrapped(f"passed  {rule}: {RULES[rule].passed}", "    ", "            ")
    for rule in weighed.failed:
        yield from _wrapped(f"FAILED  {rule}: {RULES[rule].failed}", "    ", "            ")


def _standing(weighed: Weighed, explanation: Explanation) -> str:
    row = weighed.match.row
    if weighed in explanation.judgement.counted:
        return f"counts, {weighed.evidence}"
    against = sorted(row.spoken_against_by.intersection(explanation.judgement.look_alikes))
    if weighed.failed:
        return f"does not count: a rule of trust failed ({row.evidence} if it held)"
    if against and weighed.evidence != "weak":
        return f"does not count: the mail is a look-alike ({', '.join(against)})"
    if weighed.evidence == "weak":
        return "a hint only" + (", unconfirmed" if row.unconfirmed else "")
    return "does not count here"


def _in_one_line(text: str) -> str:
    """Blanks of folds (RFC 5322 2.2.3) as one each."""
    return " ".join(text.split())


def _cut(text: str) -> str:
    if len(text) <= VALUE_CHARS:
        return text
    half = VALUE_CHARS // 2
    return f"{text[:half]} ... {text[-half:]}"


def _wrapped(text: str, indent: str, further: str | None = None) -> list[str]:
    return textwrap.wrap(
        text,
        WIDTH,
        initial_indent=indent,
        subsequent_indent=further if further is not None else indent + "  ",
        break_long_words=False,
        break_on_hyphens=False,
    )
