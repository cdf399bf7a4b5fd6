"""
Drawings as SVG: shares with their intervals, who forwards to whom, and when.

They take colour and pattern from the page's style sheet by class, so that they read in light, in dark, in print and
without colours. Each has a title and a description in words, and every number drawn also stands in a table.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from sensor.ledger import CELLS, Bucket
from sensor.report.html.markup import Markup, element, joined, plain, shortened
from sensor.report.html.page import MailboxFacts, Pair

DAY_MS = 86_400_000

MAX_NODES = 24
"""Mailboxes in the picture, and as many destinations: what one sheet of paper shows with names one can read."""

LABEL = 36
"""Characters of a name in the picture; the whole stands in its title."""

_PATTERN_OF = {cell: cell.replace("_", "-") for cell in CELLS}


def patterns() -> Markup:
    """What the fills of the cells refer to, once for the whole page."""
    kinds = {
        "auto-visible": element("path", d="M-2 2L2 -2M0 8L8 0M6 10L10 6", class_="line"),
        "visible-only": joined(element("circle", cx=x, cy=x, r="1.4", class_="dot") for x in (2, 6)),
        "paired": element("path", d="M0 2H8M0 6H8", class_="line"),
    }
    drawn = (
        element(
            "pattern",
            element("rect", width=8, height=8, class_="base"),
            marks,
            id=f"fill-{name}",
            class_=f"cell-{name}",
            width=8,
            height=8,
            patternUnits="userSpaceOnUse",
        )
        for name, marks in kinds.items()
    )
    return element("svg", element("defs", *drawn), class_="defs", width=0, height=0, aria_hidden="true")


def swatch(cell: int) -> Markup:
    """A sample of a cell's fill, for the legend."""
    return element(
        "svg",
        element("rect", width=26, height=14, class_=_fill(cell)),
        viewBox="0 0 26 14",
        width=26,
        height=14,
        aria_hidden="true",
    )


# ---- a share, or any value, with its interval


class Interval(NamedTuple):
    """A value and its bounds as shares of the scale, 0 to 1; bounds that are not known are none."""

    value: float
    low: float | None
    high: float | None


def bar(interval: Interval, told: str, *, style: str = "observed") -> Markup:
    """A bar from nothing to the value, with whiskers to the bounds of its interval. *told* says it in words."""
    width, height, middle = 160, 18, 9
    value, low, high = (_within(part) for part in interval)
    parts = [
        element("title", told),
        element("rect", class_="track", x=0, y=3, width=width, height=12),
        element("rect", class_=style, x=0, y=3, width=_number((value or 0) * width), height=12),
    ]
    if low is not None and high is not None:
        left, right = (min(max(part * width, 1), width - 1) for part in (low, high))
        whisker = f"M{_number(left)} {middle}H{_number(right)}" + "".join(
            f"M{_number(end)} {middle - 5}v10" for end in (left, right)
        )
        parts += [element("path", class_="halo", d=whisker), element("path", class_="whisker", d=whisker)]
    return element("svg", *parts, class_="bar", viewBox=f"0 0 {width} {height}", role="img")


def _within(part: float | None) -> float | None:
    return None if part is None else min(max(part, 0.0), 1.0)


# ---- who forwards to whom

_WIDTH, _LEFT, _RIGHT, _NODE = 960, 316, 644, 14
_SLOT = 24
_BANDS = 340
"""Height that all bands have together; a slot is as high as its bands or as its name, whichever is more."""
# No address: one that claimed this name would be drawn among the others, and nothing else.
_MORE = "\0"


class _Place(NamedTuple):
    """Where a node stands, and how far its bands have been laid."""

    top: float
    height: float


class Picture(NamedTuple):
    """The drawing, and what found no place in it."""

    drawing: Markup
    mailboxes_left_out: int
    destinations_left_out: int


def picture(mailboxes: Sequence[MailboxFacts], pairs: Sequence[Pair]) -> Picture:
    """
    Mailboxes on the left, destinations on the right, bands as wide as the counts between them.

    The first ``MAX_NODES`` mailboxes are drawn, and of their destinations those with the highest counts; the others
    share the last place.
    """
    forwarding = dict.fromkeys(pair.mailbox for pair in pairs)
    cells = {each.name: each.cells for each in mailboxes if each.name in forwarding}
    shown = list(cells)[:MAX_NODES]
    order = {name: number for number, name in enumerate(shown)}
    drawn = [pair for pair in pairs if pair.mailbox in order]
    kept, left_out = _destinations(drawn, order)
    bands = _bands(drawn, kept)
    scale = _BANDS / max(1, sum(bands.values()))
    thick = {ends: max(1.5, count * scale) for ends, count in bands.items()}
    left = _column(shown, [sum(w for (name, _), w in thick.items() if name == each) for each in shown])
    right = _column(kept, [sum(w for (_, to), w in thick.items() if to == each) for each in kept])
    height = max(place.top + max(_SLOT, place.height) for place in (*left.values(), *right.values())) + 8
    outside = {pair.destination for pair in drawn if pair.is_outside}
    parts = [
        element("title", "Who forwards to whom"),
        element(
            "desc",
            f"{len(shown)} mailboxes and {len(kept) - bool(left_out)} destinations; the table beneath"
            " names them all with their counts.",
        ),
        *_ribbons(thick, bands, left, right, cells),
        *(_mailbox_node(name, left[name], cells[name]) for name in shown),
        *(_destination_node(name, right[name], left_out, is_outside=name in outside) for name in kept),
    ]
    drawing = element("svg", *parts, class_="picture", viewBox=f"0 0 {_WIDTH} {_number(height)}", role="img")
    return Picture(drawing, len(forwarding) - len(shown), left_out)


def _destinations(pairs: Sequence[Pair], order: dict[str, int]) -> tuple[list[str], int]:
    """The destinations to be drawn, so ordered that bands cross little, and how many more there are."""
    counts: dict[str, int] = {}
    weights: dict[str, int] = {}
    for pair in pairs:
        counts[pair.destination] = counts.get(pair.destination, 0) + pair.count
        weights[pair.destination] = weights.get(pair.destination, 0) + pair.count * order[pair.mailbox]
    most = sorted(counts, key=lambda each: (-counts[each], each))
    left_out = max(0, len(most) - MAX_NODES)
    kept = sorted(most[:MAX_NODES], key=lambda each: (weights[each] / max(1, counts[each]), each))
    return kept + [_MORE] * bool(left_out), left_out


def _bands(pairs: Iterable[Pair], kept: Sequence[str]) -> dict[tuple[str, str], int]:
    """Counts by mailbox and destination, in the order of drawing."""
    named = {name: number for number, name in enumerate(kept)}
    counts: dict[tuple[str, str], int] = {}
    for pair in pairs:
        ends = pair.mailbox, pair.destination if pair.destination in named else _MORE
        counts[ends] = counts.get(ends, 0) + pair.count
    return counts


def _column(names: Sequence[str], heights: Sequence[float]) -> dict[str, _Place]:
    places: dict[str, _Place] = {}
    top = 6.0
    for name, height in zip(names, heights, strict=True):
        slot = max(float(_SLOT), height + 8)
        places[name] = _Place(top + (slot - height) / 2, height)
        top += slot
    return places


def _ribbons(
    thick: dict[tuple[str, str], float],
    counts: dict[tuple[str, str], int],
    left: dict[str, _Place],
    right: dict[str, _Place],
    cells: dict[str, Sequence[int]],
) -> Iterable[Markup]:
    """The bands, each laid beneath the one before it at both of its ends."""
    out = {name: place.top for name, place in left.items()}
    into = {name: place.top for name, place in right.items()}
    # On the left in the order of the right column, on the right in that of the left: so bands of a node don't cross.
    rank = {name: number for number, name in enumerate(right)}
    starts: dict[tuple[str, str], float] = {}
    for ends in sorted(thick, key=lambda each: (each[0], rank[each[1]])):
        starts[ends] = out[ends[0]]
        out[ends[0]] += thick[ends]
    x0, x1 = _LEFT + _NODE, _RIGHT
    for ends, width in thick.items():
        a, b = starts[ends], into[ends[1]]
        into[ends[1]] += width
        path = _ribbon(Point(x0, a), Point(x1, b), width)
        told = f"{plain(ends[0])} to {'others' if ends[1] == _MORE else plain(ends[1])}: {counts[ends]:,}"
        yield element("path", element("title", told), class_=f"band {_fill(_main(cells[ends[0]]))}", d=path)


class Point(NamedTuple):
    """A place on the drawing."""

    x: float
    y: float


def _ribbon(start: Point, end: Point, width: float) -> str:
    """A band between two places, which are its upper corners, that leaves and arrives level."""
    x0, y0, x1, y1 = map(_number, (*start, *end))
    low0, low1, mid = (_number(each) for each in (start.y + width, end.y + width, (start.x + end.x) / 2))
    return f"M{x0} {y0}C{mid} {y0} {mid} {y1} {x1} {y1}V{low1}C{mid} {low1} {mid} {low0} {x0} {low0}Z"


def _main(cells: Sequence[int]) -> int:
    """The cell that most of a mailbox's forwards are in."""
    return max(range(len(cells)), key=lambda cell: (cells[cell], -cell))


def _mailbox_node(name: str, place: _Place, cells: Sequence[int]) -> Markup:
    total = max(1, sum(cells))
    parts: list[Markup] = []
    top = place.top
    for cell, count in enumerate(cells):
        height = place.height * count / total
        if count:
            parts.append(_box(_LEFT, top, _NODE, height, _fill(cell)))
        top += height
    label = _label(name, _LEFT - 8, place, "end")
    told = ", ".join(f"{count:,} {CELL_NAMES[cell]}" for cell, count in enumerate(cells) if count)
    return element("g", element("title", f"{plain(name)}: {told}"), *parts, label)


def _destination_node(name: str, place: _Place, left_out: int, *, is_outside: bool) -> Markup:
    shown = f"and {left_out:,} more addresses" if name == _MORE else name
    style = "outside" if is_outside or name == _MORE else "inside"
    return element(
        "g",
        element("title", plain(shown)),
        _box(_RIGHT, place.top, _NODE, place.height, style),
        _label(shown, _RIGHT + _NODE + 8, place, "start"),
    )


def _box(x: float, y: float, width: float, height: float, style: str) -> Markup:
    return element(
        "rect", x=_number(x), y=_number(y), width=_number(width), height=_number(max(height, 1)), class_=style
    )


def _label(name: str, x: int, place: _Place, anchor: str) -> Markup:
    middle = place.top + place.height / 2 + 4.5
    return element("text", shortened(plain(name), LABEL), x=x, y=_number(middle), text_anchor=anchor)


# ---- when

_CHART_WIDTH, _HALF, _AXIS = 720, 30, 32
_OWN_AXIS_FROM_MS = 1_100 * DAY_MS
"""Beyond three years one axis for all would show nothing of any; such times come from damaged captures."""


class Period(NamedTuple):
    """From a time to a later one, in milliseconds."""

    start_ms: int
    end_ms: int


def period_of(mailboxes: Sequence[MailboxFacts]) -> Period | None:
    """The one axis on which the time lines of all *mailboxes* are drawn; none where it would be too long."""
    own = [own_period(each.timeline, each.bucket_ms) for each in mailboxes if each.timeline]
    if not own:
        return None
    whole = Period(min(each.start_ms for each in own), max(each.end_ms for each in own))
    return whole if whole.end_ms - whole.start_ms < _OWN_AXIS_FROM_MS else None


def timeline(mailbox: MailboxFacts, period: Period | None, told: str) -> Markup:
    """
    When a mailbox forwarded: by a rule above the line, by hand or unmarked below it.

    A rule's picture is one-sided, and a person's has gaps at night. *told* is its description.
    """
    period = period or own_period(mailbox.timeline, mailbox.bucket_ms)
    span = max(1, period.end_ms - period.start_ms)
    most = max((max(each[1] + each[2], each[3] + each[4]) for each in mailbox.timeline), default=1)
    parts = [element("title", told), _ticks(period)]
    width = max(2.0, mailbox.bucket_ms / span * _CHART_WIDTH - 0.5)
    for cell in range(len(CELLS)):
        path = "".join(_bars(mailbox.timeline, cell, period, width, _HALF / max(1, most)))
        if path:
            parts.append(element("path", class_=_fill(cell), d=path))
    parts.append(element("path", class_="axis", d=f"M0 {_AXIS}H{_CHART_WIDTH}"))
    return element("svg", *parts, class_="timeline", viewBox=f"0 0 {_CHART_WIDTH} {2 * _AXIS}", role="img")


def own_period(buckets: Sequence[Bucket], width_ms: int) -> Period:
    """From the first bucket to the end of the last."""
    return Period(buckets[0].start_ms, buckets[-1].start_ms + width_ms)


def _bars(buckets: Sequence[Bucket], cell: int, period: Period, width: float, scale: float) -> Iterable[str]:
    above = cell < 2
    for bucket in buckets:
        count = bucket[1 + cell]
        if not count:
            continue
        x = (bucket.start_ms - period.start_ms) / max(1, period.end_ms - period.start_ms) * _CHART_WIDTH
        x = min(x, _CHART_WIDTH - width)
        height = max(1.0, count * scale)
        # The second cell of each side stands on the first.
        beneath = bucket[1 if above else 3] * scale if cell % 2 else 0
        y = _AXIS - beneath - height if above else _AXIS + beneath
        yield f"M{_number(x)} {_number(y)}h{_number(width)}v{_number(height)}h-{_number(width)}z"


def _ticks(period: Period) -> Markup | None:
    """A line at each midnight (UTC), or at that before each Monday where days would be too dense."""
    span = period.end_ms - period.start_ms
    step = DAY_MS if span <= 35 * DAY_MS else 7 * DAY_MS if span <= 400 * DAY_MS else 0
    if not step:
        return None
    # The epoch began on a Thursday, and weeks are to begin on a Monday.
    shift = 4 * DAY_MS if step > DAY_MS else 0
    first = -(-(period.start_ms - shift) // step) * step + shift
    path = "".join(
        f"M{_number((at - period.start_ms) / max(1, span) * _CHART_WIDTH)} 2V{2 * _AXIS - 2}"
        for at in range(first, period.end_ms, step)
    )
    return element("path", class_="tick", d=path) if path else None


CELL_NAMES = ("by a rule", "by a rule, looking forwarded", "by hand", "unmarked, in and out")
"""What the four cells are called on the page, in the order of ``ledger.CELLS``."""


def _fill(cell: int) -> str:
    return f"fill-{_PATTERN_OF[CELLS[cell]]}"


def _number(value: float) -> str:
    """A length with one decimal, without a point where none is needed."""
    return f"{value:.1f}".removesuffix(".0")
