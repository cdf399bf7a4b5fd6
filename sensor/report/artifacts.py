"""The artifact table as text."""

from __future__ import annotations

from sensor.classify import Table

_COLUMNS = ("SLUG", "KIND", "LEVEL", "EVIDENCE", "WHERE")


def render_artifacts(table: Table) -> str:
    """One line a row, aligned, in the table's order, ending in a line end."""
    rows = [_COLUMNS] + [
        (row.slug, row.kind, row.level, row.evidence + ("?" if row.unconfirmed else ""), row.field or row.place)
        for row in table.rows
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_COLUMNS))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    if any(row.unconfirmed for row in table.rows):
        lines.append("? no sample and no primary source was found")
    return "\n".join(lines) + "\n"
