"""Rows of stored ledgers: whatever mail holds, a terminal and a spreadsheet read it as text."""

import csv
import io

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from sensor.log import printable
from sensor.pseudonym import Key, KeyRing, Pseudonyms
from sensor.report.stored import TABLE_COLUMNS, DestinationRow, Row, render_rows
from sensor.report.words import columns_of

ROW = DestinationRow(
    destination="x@dst.example",
    outside=True,
    mailboxes=2,
    forwards=12,
    octets=1_000,
    by="ann@corp.example",
    first_seen="2026-11-20T10:00:00.000000Z",
    last_seen="2026-11-21T10:00:00.000000Z",
)


def test_a_table_is_aligned() -> None:
    other = msgspec.structs.replace(ROW, destination="longer.name@dst.example", outside=False, forwards=3)
    assert (
        render_rows([ROW, other], DestinationRow, "table")
        == """\
DESTINATION              OUTSIDE  MAILBOXES  FORWARDS  MOST BY           SINCE             LATEST
x@dst.example                yes          2        12  ann@corp.example  2026-11-20 10:00  2026-11-21 10:00
longer.name@dst.example       no          2         3  ann@corp.example  2026-11-20 10:00  2026-11-21 10:00
"""
    )


def test_a_table_is_aligned_where_letters_are_wide() -> None:
    wide = msgspec.structs.replace(ROW, destination="概要@dst.example")
    heading, row, other = render_rows([wide, ROW], DestinationRow, "table").splitlines()
    assert columns_of(row[: row.index("yes")]) == heading.index("OUTSIDE") + len("OUTSIDE") - len("yes")
    assert columns_of(row) == len(other)


@given(st.text(max_size=80))
def test_no_address_draws_on_the_terminal_or_breaks_a_row(address: str) -> None:
    row = msgspec.structs.replace(ROW, destination=address)
    for form in ("table", "csv"):
        text = render_rows([row], DestinationRow, form)
        assert all(each == "\n" or each == printable(each) for each in text)
        assert text.count("\n") == 2


@given(st.sampled_from("=+-@"), st.text(max_size=20))
def test_no_address_is_a_formula(first: str, rest: str) -> None:
    row = msgspec.structs.replace(ROW, destination=first + rest)
    _, cells = csv.reader(io.StringIO(render_rows([row], DestinationRow, "csv")))
    assert not cells[0].startswith(tuple("=+-@"))


def test_pseudonyms_are_whole_so_that_a_key_can_reveal_them() -> None:
    names = Pseudonyms(KeyRing([Key(b"0" * 64)]))
    row = msgspec.structs.replace(ROW, destination=names.address("fay@corp.example"))
    assert "fay@corp.example" in names.reveal_all(render_rows([row], DestinationRow, "table"))


def test_every_kind_of_row_has_its_table() -> None:
    assert set(TABLE_COLUMNS) == set(Row.__subclasses__())
    for kind, columns in TABLE_COLUMNS.items():
        assert set(columns) <= set(kind.__struct_fields__)
