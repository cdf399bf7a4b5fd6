"""From a verdict to what is done about a mail: the packets that do it, and what its record says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from sensor.model import Outcome
from sensor.taps.milter import answers
from sensor.taps.milter.negotiation import Action, Terms

Reply = tuple[int, str | None, str]
"""Code, enhanced code, text."""

_DEFERRED: Reply = (451, "4.7.1", "Try again later")
_REJECTED: Reply = (550, "5.7.1", "Mail refused by policy")


class VerdictView(Protocol):
    """What was decided about a mail."""

    @property
    def action(self) -> str: ...
    @property
    def rule(self) -> str | None: ...
    @property
    def reply(self) -> tuple[int, str, str] | None: ...
    @property
    def dry_run(self) -> bool: ...
    @property
    def tag(self) -> tuple[bytes, bytes] | None: ...


@dataclass(frozen=True, slots=True)
class Deed:
    """
    What the MTA is told, and what it came to. ``not_done`` names an action that the MTA does not let us do.
    """

    packets: bytes
    outcome: Outcome
    reply: Reply | None = None
    not_done: str | None = None


def deed_of(verdict: VerdictView, terms: Terms) -> Deed:
    """How *verdict* is carried out under those *terms*. A verdict of a dry run changes nothing."""
    action = "observe" if verdict.dry_run else verdict.action
    if action == "tag":
        return _tagged(verdict.tag, terms)
    if action == "quarantine":
        return _held(verdict, terms)
    if action == "defer":
        return _refused(verdict.reply or _DEFERRED, "deferred")
    if action == "reject":
        return _refused(verdict.reply or _REJECTED, "rejected")
    return Deed(answers.CONTINUE, "delivered")


def strip(name: bytes, copies: int, terms: Terms) -> bytes:
    """Take out the first *copies* of what strangers brought under the name of our own field."""
    if not copies or Action.CHANGE_FIELDS not in terms.actions:
        return b""
    return answers.remove_fields(name, range(1, copies + 1))


def _tagged(tag: tuple[bytes, bytes] | None, terms: Terms) -> Deed:
    if tag is None or Action.ADD_FIELDS not in terms.actions:
        return Deed(answers.CONTINUE, "delivered", not_done="tag")
    # The first MTAs that spoke version 2 know no place but the end.
    put = answers.add_field if terms.version == 2 else answers.insert_field
    return Deed(put(*tag, leading_space=terms.leading_space) + answers.CONTINUE, "delivered")


def _held(verdict: VerdictView, terms: Terms) -> Deed:
    """Into the MTA's hold queue; where it has none for us, the mail is to wait where it is."""
    if Action.QUARANTINE not in terms.actions:
        refused = _refused(_DEFERRED, "deferred")
        return Deed(refused.packets, refused.outcome, refused.reply, not_done="quarantine")
    reason = f"mailsensor: {verdict.rule or 'policy'}".encode("ascii", "replace")
    return Deed(answers.quarantine(reason) + answers.CONTINUE, "delivered")


def _refused(reply: Reply, outcome: Outcome) -> Deed:
    code, enhanced, text = reply
    return Deed(answers.reply(code, enhanced or f"{code // 100}.7.1", text), outcome, reply)
