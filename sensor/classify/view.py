"""
A mail read once: the core draws a fact whenever it is asked for it, and the rules ask for the same ones many times.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from sensor.model import Transaction


class _Once:
    """Asks for each attribute once. *nested* says which attributes hold facts of their own, and how to keep those."""

    def __init__(self, facts: Any, nested: dict[str, Callable[[Any], Any]]) -> None:
        self._facts = facts
        self._nested = nested

    def __getattr__(self, name: str) -> Any:
        # Called only where the instance has no such attribute yet: from the second time on it has.
        value = getattr(self._facts, name)
        keep = self._nested.get(name)
        if keep is not None and value is not None:
            value = keep(value)
        self.__dict__[name] = value
        return value


def _once(facts: Any) -> _Once:
    return _Once(facts, {})


def _each_once(all_facts: Any) -> tuple[_Once, ...]:
    return tuple(_Once(facts, {}) for facts in all_facts)


_NESTED: dict[str, Callable[[Any], Any]] = {
    "header": _once,
    "session": _once,
    "reply": _once,
    "forward_paths": _each_once,
    "fields": _each_once,
    "received": _each_once,
    "attachments": _each_once,
}


def read_once(transaction: Transaction) -> Transaction:
    """The same mail, each of its facts drawn no more than once."""
    return cast("Transaction", _Once(transaction, _NESTED))
