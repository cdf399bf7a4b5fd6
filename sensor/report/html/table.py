"""Tables that a screen reader can walk, a narrow screen can scroll and paper can break."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from sensor.report.html.markup import Child, Markup, element, lines


class Column(NamedTuple):
    """A column's heading, and whether it holds numbers."""

    heading: str
    is_number: bool = False


def table(
    caption: str, columns: Sequence[Column], rows: Iterable[Sequence[Child]], *, style: str = "", stacks: bool = False
) -> Markup:
    """
    A table whose first column heads its rows.

    One that *stacks* becomes a block for each row where the screen is narrow; others are scrolled.
    """
    heads = (element("th", each.heading, scope="col", class_="number" if each.is_number else None) for each in columns)
    body = (element("tr", *_cells(columns, row, is_labelled=stacks)) for row in rows)
    drawn = element(
        "table",
        element("caption", caption),
        element("thead", element("tr", *heads)),
        element("tbody", lines(body)),
        class_=" ".join(filter(None, (style, "stacks" if stacks else ""))) or None,
    )
    return element("div", drawn, class_="scroll", role="region", tabindex=0, aria_label=caption)


def _cells(columns: Sequence[Column], row: Sequence[Child], *, is_labelled: bool) -> Iterable[Markup]:
    for number, (column, cell) in enumerate(zip(columns, row, strict=True)):
        style = "number" if column.is_number else None
        if number == 0:
            yield element("th", cell, scope="row", class_=style)
        else:
            yield element("td", cell, class_=style, data_label=column.heading if is_labelled else None)
