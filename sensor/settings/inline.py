"""What is done to mail that passes through our hands: ``[inline]`` and ``[[inline.rule]]``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from sensor.model import Direction, Evidence, Kind, Level
from sensor.settings.checks import Check, addresses, name, one_of, shaped, true_or_false, whole
from sensor.settings.errors import RowError
from sensor.settings.rows import checked_row, rows_of
from sensor.settings.section import Section

Action = Literal["observe", "tag", "defer", "reject", "quarantine"]
OnFailure = Literal["open", "closed"]

MAX_RULES = 100
"""Rules are tried in order for each forward, and each is a series of the metrics."""
MAX_REPLY_CHARACTERS = 400
"""Of a reply's text: with codes and line end it stays within the 512 octets of RFC 5321 4.5.3.1.5."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InlineRule:
    """
    What is done with the mail that all parts given fit. An empty part fits every mail, but for ``kinds``: a rule is
    about forwards unless it names "none" itself.

    ``mailboxes`` and ``destinations`` hold addresses and domains, in lower case (``.corp.example`` takes in all below).
    A mail that only looks like a forward is met where ``look_alikes``. ``reply`` is code, enhanced code and text.
    """

    name: str
    action: Action
    kinds: tuple[Kind, ...] = ("auto", "visible", "both")
    levels: tuple[Level, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    directions: tuple[Direction, ...] = ()
    mailboxes: tuple[str, ...] = ()
    destinations: tuple[str, ...] = ()
    look_alikes: bool = False
    reply: tuple[int, str, str] | None = None
    dry_run: bool = False


@dataclass(frozen=True, slots=True)
class InlineSettings:
    """
    The rules, of which the first that fits is followed. Without one, mail is observed.

    A verdict that fails, or takes longer than ``verdict_timeout_ms``, lets the mail pass (``on_failure`` "open") or
    defers it ("closed"). With ``dry_run`` it is only written down what would be done, by whichever rule.
    """

    rules: tuple[InlineRule, ...] = ()
    dry_run: bool = False
    on_failure: OnFailure = "open"
    verdict_timeout_ms: int = 50
    tag_header: str = "X-Mailflow-Sensor"


_REPLIES: Mapping[str, tuple[int, str, str]] = {
    "reject": (550, "5.7.1", "Forwarding this mail is not allowed here"),
    "defer": (451, "4.7.1", "Forwarding this mail is held back here, try again later"),
}
"""By action, what is answered where the rule says nothing else (RFC 3463 3.8: X.7.1, delivery not authorized)."""


def _several(*allowed: str) -> Check:
    def check(value: object) -> tuple[str, ...]:
        several = [value] if isinstance(value, str) else value
        if not isinstance(several, list) or not several or not all(each in allowed for each in several):
            raise ValueError(f"must be one or a list of {', '.join(allowed)}")
        return tuple(dict.fromkeys(several))

    return check


_TEXT = shaped(
    rf"[ -~]{{1,{MAX_REPLY_CHARACTERS}}}", f"must be a line of 1 to {MAX_REPLY_CHARACTERS} characters of plain ASCII"
)
_ENHANCED = shaped(r"[45]\.7\.[0-9]{1,3}", "must be an enhanced status code such as 5.7.1, or 4.7.1 to defer")
# A field of that name is taken out of mail where a stranger wrote it, so it must be none that mail needs.
_HEADER = shaped(r"[Xx]-[A-Za-z0-9-]{1,60}", "must be the name of a header field that begins with X-")
_RULE_KEYS: Mapping[str, Check] = {
    "name": name,
    "action": one_of(*get_args(Action)),
    "kind": _several(*get_args(Kind)),
    "level": _several(*get_args(Level)),
    "evidence": _several(*get_args(Evidence)),
    "direction": _several(*get_args(Direction)),
    "mailboxes": addresses,
    "destinations": addresses,
    "look_alikes": true_or_false,
    "code": whole(400, 599),
    "enhanced": _ENHANCED,
    "text": _TEXT,
    "dry_run": true_or_false,
}
_FIELDS = {"kind": "kinds", "level": "levels", "direction": "directions"}


def _rules(value: object) -> tuple[InlineRule, ...]:
    """The rows of ``[[inline.rule]]``."""
    rows = rows_of(value, "inline.rule")
    if len(rows) > MAX_RULES:
        raise ValueError(f"must be at most {MAX_RULES} tables")
    rules = tuple(_rule(index, row) for index, row in enumerate(rows))
    names = [each.name for each in rules]
    for index, each in enumerate(names):
        if each in names[:index]:
            raise RowError(index, f'has the name "{each}" of an earlier one: each needs a name of its own')
    return rules


def _rule(index: int, row: Mapping[str, object]) -> InlineRule:
    checked = checked_row(index, row, _RULE_KEYS)
    if "action" not in checked:
        raise RowError(index, f'lacks "action", one of {", ".join(get_args(Action))}')
    checked["reply"] = _reply(index, checked)
    checked.setdefault("name", f"rule-{index + 1}")
    return InlineRule(**{_FIELDS.get(key, key): value for key, value in checked.items()})


# 421 closes the session (RFC 5321 3.8). The others are answers to single commands, which a client may take to mean
# that the command was wrong, not the mail.
_RESERVED = (421, *range(500, 506), 521, 530, 534, 535, 538, 555, 556)


def _reply(index: int, checked: dict[str, Any]) -> tuple[int, str, str] | None:
    """Take the parts of a reply out of *checked*; what is answered by them and the default."""
    told = {key: checked.pop(key) for key in ("code", "enhanced", "text") if key in checked}
    default = _REPLIES.get(checked["action"])
    if default is None:
        if told:
            raise RowError(index, f'must not have "{next(iter(told))}": only reject and defer answer something')
        return None
    code, enhanced, text = default
    reply = told.get("code", code), told.get("enhanced", enhanced), told.get("text", text)
    first = str(code)[0]
    if str(reply[0])[0] != first or reply[1][0] != first:
        raise RowError(index, f"must answer {first}xx and {first}.7.x: that is what it is to {checked['action']}")
    if reply[0] in _RESERVED:
        raise RowError(index, f"must not answer {reply[0]}: to SMTP clients that means something else")
    return reply


INLINE = Section(
    "inline",
    InlineSettings,
    {
        "rule": _rules,
        "dry_run": true_or_false,
        "on_failure": one_of(*get_args(OnFailure)),
        "verdict_timeout_ms": whole(1, 60_000),
        "tag_header": _HEADER,
    },
    fields={"rule": "rules"},
)
