"""A definition as an SVG picture that stands alone: no script, no font, no style from outside.

Called by the command line.
"""

from __future__ import annotations

from collections.abc import Iterator
from xml.sax.saxutils import escape

from funcflow.compositions.definition import Definition
from funcflow.compositions.draw import Edge, Graph, Node, graph
from funcflow.compositions.draw_layout import Layout, Point, layout

#: Type of state: colour of its edge, and of its inside.
_COLOURS = {
    "Task": ("#2563a8", "#e8f1fb"),
    "Choice": ("#9a6700", "#fdf4dc"),
    "Wait": ("#6b4fa0", "#f1ecfa"),
    "Pass": ("#57606a", "#f3f4f6"),
    "Succeed": ("#1a7f37", "#e3f6e8"),
    "Fail": ("#b42318", "#fdeaea"),
    "Map": ("#0f766e", "#f2faf9"),
    "Parallel": ("#0f766e", "#f2faf9"),
}
_WAYS = {"next": "#57606a", "choice": "#9a6700", "default": "#9a6700", "catch": "#b42318"}
_MARGIN = 16.0
_PADDING = 14.0
_TITLE = 40.0
_DOT = 14.0
_GAP = 24.0

Size = tuple[float, float]


def svg(definition: Definition) -> str:
    """The picture; sizes in pixels, text of 12."""
    drawn = graph(definition.machine)
    placed = _placed(drawn)
    width, height = placed.width + 2 * _MARGIN, placed.height + 2 * _MARGIN
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" '
        f'viewBox="0 0 {width:.0f} {height:.0f}" font-family="sans-serif" font-size="12">',
        "<defs>",
        *(_head(way, colour) for way, colour in _WAYS.items()),
        "</defs>",
        f'<rect width="{width:.0f}" height="{height:.0f}" fill="#ffffff"/>',
        *_machine(drawn, placed, (_MARGIN, _MARGIN)),
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def _placed(drawn: Graph) -> Layout:
    sizes = [_size(node) for node in drawn.nodes]
    labels = [_room(edge.label) for edge in drawn.edges]
    return layout(sizes, [(edge.source, edge.target) for edge in drawn.edges], labels)


def _room(label: str) -> Size:
    return (_wide(label, 11) + 8, 16.0) if label else (0.0, 0.0)


def _size(node: Node) -> Size:
    if node.kind in ("Start", "End"):
        return _DOT, _DOT
    text = max(_wide(node.name, 12.5), _wide(node.note, 11)) + 28
    if not node.inner:
        return max(text, 96.0), 42.0
    inside = [_placed(inner) for inner in node.inner]
    width = sum(each.width for each in inside) + _GAP * (len(inside) - 1)
    height = max(each.height for each in inside)
    return max(width + 2 * _PADDING, text), height + _TITLE + _PADDING


def _machine(drawn: Graph, placed: Layout, at: Point) -> Iterator[str]:
    left, top = at
    for node, (x, y) in zip(drawn.nodes, placed.boxes, strict=True):
        yield from _node(node, (left + x, top + y))
    for edge, way in zip(drawn.edges, placed.ways, strict=True):
        yield _way(edge, [(left + x, top + y) for x, y in way])
    for edge, (x, y) in zip(drawn.edges, placed.labels, strict=True):
        if edge.label:
            yield from _label(edge, (left + x, top + y))


def _node(node: Node, at: Point) -> Iterator[str]:
    x, y = at
    width, height = _size(node)
    if node.kind in ("Start", "End"):
        fill = "#24292f" if node.kind == "Start" else "#ffffff"
        middle = f'cx="{x + width / 2:.1f}" cy="{y + height / 2:.1f}"'
        yield f'<circle {middle} r="6" fill="{fill}" stroke="#24292f" stroke-width="2"/>'
        if node.kind == "End":
            yield f'<circle {middle} r="2.5" fill="#24292f"/>'
        return
    edge, fill = _COLOURS[node.kind]
    dashes = ' stroke-dasharray="6 3"' if node.inner else ""
    yield (
        f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" rx="6" '
        f'fill="{fill}" stroke="{edge}" stroke-width="1.4"{dashes}/>'
    )
    middle = f'x="{x + width / 2:.1f}"'
    yield (
        f'<text {middle} y="{y + 18:.1f}" text-anchor="middle" font-weight="bold" '
        f'fill="#24292f">{escape(node.name)}</text>'
    )
    yield (
        f'<text {middle} y="{y + 33:.1f}" text-anchor="middle" font-size="10.5" '
        f'fill="{edge}">{escape(node.note)}</text>'
    )
    inside = [_placed(inner) for inner in node.inner]
    used = sum(each.width for each in inside) + _GAP * (len(inside) - 1)
    start = x + (width - used) / 2
    for inner, placed in zip(node.inner, inside, strict=True):
        yield from _machine(inner, placed, (start, y + _TITLE))
        start += placed.width + _GAP


def _way(edge: Edge, points: list[Point]) -> str:
    """A smooth line through the points, upright where it passes each."""
    x, y = points[0]
    path = [f"M{x:.1f} {y:.1f}"]
    for to_x, to_y in points[1:]:
        if abs(to_x - x) < 0.1:
            path.append(f"L{to_x:.1f} {to_y:.1f}")
        else:
            half = (y + to_y) / 2
            path.append(f"C{x:.1f} {half:.1f} {to_x:.1f} {half:.1f} {to_x:.1f} {to_y:.1f}")
        x, y = to_x, to_y
    dashes = ' stroke-dasharray="4 3"' if edge.way == "catch" else ""
    return (
        f'<path d="{" ".join(path)}" fill="none" stroke="{_WAYS[edge.way]}" stroke-width="1.3" '
        f'marker-end="url(#{edge.way})"{dashes}/>'
    )


def _label(edge: Edge, middle: Point) -> Iterator[str]:
    x, y = middle
    width = _wide(edge.label, 11) + 6
    yield (
        f'<rect x="{x - width / 2:.1f}" y="{y - 8:.1f}" width="{width:.1f}" height="16" rx="3" '
        f'fill="#ffffff" fill-opacity="0.92"/>'
    )
    yield (
        f'<text x="{x:.1f}" y="{y + 3.5:.1f}" text-anchor="middle" font-size="10.5" '
        f'fill="{_WAYS[edge.way]}">{escape(edge.label)}</text>'
    )


def _head(way: str, colour: str) -> str:
    return (
        f'<marker id="{way}" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" '
        f'markerHeight="7" orient="auto"><path d="M0 0 L8 4 L0 8 z" fill="{colour}"/></marker>'
    )


def _wide(text: str, size: float) -> float:
    """About how wide a text is: wide letters count double, as in East Asia."""
    return sum(1.0 if ord(letter) > 0x1100 else 0.6 for letter in text) * size
