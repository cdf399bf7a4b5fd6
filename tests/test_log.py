"""What mail puts into text can neither drive a terminal nor break a line."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensor.log import Log, printable, redact


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("Ünïcode 转发", "Ünïcode 转发"),
        ("\x1b[31mred", "\\x1b[31mred"),
        ("a\nb\r", "a\\x0ab\\x0d"),
        ("\u202eevil", "\\u202eevil"),
        ("\u2066x\u2069", "\\u2066x\\u2069"),
        ("\ud800", "\\ud800"),
        ("\x9b31m", "\\x9b31m"),
        ("\u2028", "\\u2028"),
        ("[red]markup[/red]", "[red]markup[/red]"),
    ],
)
def test_printable(text: str, shown: str) -> None:
    assert printable(text) == shown


@given(st.text())
def test_printable_text_is_printable_and_stays_so(text: str) -> None:
    shown = printable(text)
    assert all(character.isprintable() or character.isspace() for character in shown)
    assert not set(shown) & set("\n\r\x1b\x85\u2028\u2029\u202a\u202b\u202d\u202e")
    assert printable(shown) == shown


@pytest.mark.parametrize(
    ("address", "shown"), [("ann@corp.example", "a***@corp.example"), ("@x", "***@x"), ("nobody", "***"), ("", "***")]
)
def test_redact_keeps_a_letter_and_the_domain(address: str, shown: str) -> None:
    assert redact(address) == shown


def test_an_event_is_one_line_of_keys_and_values() -> None:
    stream = io.StringIO()
    Log(stream).warning("file_skipped", path="a b\n", count=3, empty="")
    assert stream.getvalue() == 'warning file_skipped path="a b\\x0a" count=3 empty=""\n'


def test_events_below_the_level_are_not_written() -> None:
    stream = io.StringIO()
    Log(stream, "warning").info("quiet")
    assert stream.getvalue() == ""


def test_a_closed_stream_is_nobody_to_tell() -> None:
    stream = io.StringIO()
    stream.close()
    log = Log(stream)
    log.error("lost")
    log.error("lost again")
