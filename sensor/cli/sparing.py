"""Text and flags of the command line taken as they stand, so that a start need not wait for pydantic."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from typer.core import TyperGroup


class Commands(TyperGroup):
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
