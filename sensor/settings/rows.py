"""
Rows of tables such as ``[[alerts.rule]]``: their keys, and the detectors that they name.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from sensor.settings.checks import Check
from sensor.settings.errors import RowError


def rows_of(value: object, name: str) -> list[Mapping[str, object]]:
    """The tables of a list that is written as ``[[name]]``. Raises ``ValueError``."""
    if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
        raise ValueError(f"must be tables, each written as [[{name}]]")
    return value


def checked_row(index: int, row: Mapping[str, object], keys: Mapping[str, Check]) -> dict[str, Any]:
    """The keys of *row*, number *index* of its table, each checked by those in *keys*. Raises ``RowError``."""
    checked: dict[str, Any] = {}
    for key, value in row.items():
        if key not in keys:
            raise RowError(index, f'has an unknown key "{key}"{meant(key, list(keys))}')
        try:
            checked[key] = keys[key](value)
        except ValueError as error:
            raise RowError(index, f'has a wrong "{key}": it {error}') from None
    return checked


def naming(known: Collection[str], check: Callable[[object], Any]) -> Callable[[object], Any]:
    """*check*, and that the detectors named are *known*, if any are: a misspelt one would do nothing."""

    def checked(value: object) -> Any:
        result = check(value)
        is_table = isinstance(result, Mapping)
        names = list(result) if is_table else [each.detector for each in result]
        for index, name in enumerate(names):
            if known and name is not None and name not in known:
                rule = f'names an unknown detector "{name}"{meant(name, list(known))}'
                raise ValueError(rule) if is_table else RowError(index, rule)
        return result

    return checked


def meant(name: str, allowed: Sequence[str]) -> str:
    """What may have been meant by a *name* that is none of those *allowed*, as the end of a sentence."""
    close = difflib.get_close_matches(name, allowed, n=1)
    hint = f'; did you mean "{close[0]}"?' if close else ";"
    return f"{hint} allowed: {', '.join(allowed)}"
