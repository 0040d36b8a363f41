"""A definition, or an execution of it, as an SVG picture that stands alone: no script, no
font, no style from outside. It is read aloud by its titles, and follows light and dark.

Called by the API and the command line.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from xml.sax.saxutils import escape

from funcflow.compositions.definition import Definition
from funcflow.compositions.draw import Edge, Graph, Node, graph
from funcflow.compositions.draw_layout import MOST, Layout, Point, TooLargeToDraw, layout
from funcflow.compositions.draw_marks import Mark
from funcflow.compositions.draw_style import INK, PAGE, STYLE, WAYS, box, note, wide

_MARGIN = 16.0
_PADDING = 14.0
_TITLE = 40.0
#: The line that says how a state of an execution stands.
_MARK = 17.0
_DOT = 14.0
_GAP = 24.0

Size = tuple[float, float]


def svg(
    definition: Definition, marks: Mapping[str, Mark] | None = None, title: str = "Composition"
) -> str:
    """The picture; sizes in pixels, text of 12.

    ``marks``: how the states of an execution stand; those without one are pale.

    :raises TooLargeToDraw: there is too much of it
    """
    return _Picture(marks).drawn(graph(definition.machine), title)


class _Picture:
    def __init__(self, marks: Mapping[str, Mark] | None) -> None:
        self._marks = marks
        #: By the identity of the machine's graph: nested ones are asked for again and again.
        self._layouts: dict[int, Layout] = {}
        self._count = 0

    def drawn(self, whole: Graph, title: str) -> str:
        placed = self._placed(whole)
        width, height = placed.width + 2 * _MARGIN, placed.height + 2 * _MARGIN
        lines = [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" '
            f'viewBox="0 0 {width:.0f} {height:.0f}" role="img" aria-label="{_attribute(title)}" '
            'font-family="sans-serif" font-size="12">',
            f"<title>{escape(title)}</title>",
            STYLE,
            "<defs>",
            *(_head(way, colour) for way, (colour, _) in WAYS.items()),
            "</defs>",
            f'<rect class="page" width="{width:.0f}" height="{height:.0f}" fill="{PAGE}"/>',
            *self._machine(whole, placed, (_MARGIN, _MARGIN)),
            "</svg>",
        ]
        return "\n".join(lines) + "\n"

    def _mark(self, node: Node) -> Mark | None:
        return None if self._marks is None else self._marks.get(node.name)

    def _placed(self, drawn: Graph) -> Layout:
        """
        :raises TooLargeToDraw: there is too much of it
        """
        known = self._layouts.get(id(drawn))
        if known is None:
            sizes = [self._size(node) for node in drawn.nodes]
            labels = [_room(edge.label) for edge in drawn.edges]
            edges = [(edge.source, edge.target) for edge in drawn.edges]
            known = self._layouts[id(drawn)] = layout(sizes, edges, labels)
            self._count += known.count
            if self._count > MOST:
                raise TooLargeToDraw
        return known

    def _size(self, node: Node) -> Size:
        if node.kind in ("Start", "End"):
            return _DOT, _DOT
        mark = self._mark(node)
        texts = [wide(node.name, 12.5), wide(node.note, 11), wide(mark.note, 11) if mark else 0]
        text = max(texts) + 28
        extra = _MARK if self._marks is not None else 0.0
        if not node.inner:
            return max(text, 96.0), 42.0 + extra
        inside = [self._placed(inner) for inner in node.inner]
        width = sum(each.width for each in inside) + _GAP * (len(inside) - 1)
        height = max(each.height for each in inside)
        return max(width + 2 * _PADDING, text), height + _TITLE + extra + _PADDING

    def _machine(self, drawn: Graph, placed: Layout, at: Point) -> Iterator[str]:
        left, top = at
        for node, (x, y) in zip(drawn.nodes, placed.boxes, strict=True):
            if node.kind in ("Start", "End"):
                yield from _dot(node, (left + x, top + y))
            else:
                yield from self._node(node, (left + x, top + y))
        for edge, way in zip(drawn.edges, placed.ways, strict=True):
            yield _way(edge, [(left + x, top + y) for x, y in way])
        for edge, (x, y) in zip(drawn.edges, placed.labels, strict=True):
            if edge.label:
                yield from _label(edge, (left + x, top + y))

    def _node(self, node: Node, at: Point) -> Iterator[str]:
        x, y = at
        width, height = self._size(node)
        mark = self._mark(node)
        colour = node.kind.lower() if mark is None else mark.colour
        pale = ' opacity="0.45"' if self._marks is not None and mark is None else ""
        told = f"{node.name}: {node.kind}" + (f", {mark.told}" if mark else "")
        dashes = ' stroke-dasharray="6 3" fill-opacity="0.45"' if node.inner else ""
        thick = "1.4" if mark is None else "2"
        middle = x + width / 2
        yield f"<g{pale}><title>{escape(told)}</title>"
        yield (
            f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" rx="6" '
            f'{box(colour)} stroke-width="{thick}"{dashes}/>'
        )
        yield (
            f'<text class="ink" x="{middle:.1f}" y="{y + 18:.1f}" text-anchor="middle" '
            f'font-weight="bold" fill="{INK}">{escape(node.name)}</text>'
        )
        kind = note(node.kind.lower()) if mark is None else f'class="ink" fill="{INK}"'
        yield _small(node.note, middle, y + 33, kind)
        if mark is not None:
            yield _small(mark.note, middle, y + 33 + _MARK, f'font-weight="bold" {note(colour)}')
        yield "</g>"
        yield from self._inside(node, at, width)

    def _inside(self, node: Node, at: Point, width: float) -> Iterator[str]:
        x, y = at
        inside = [self._placed(inner) for inner in node.inner]
        used = sum(each.width for each in inside) + _GAP * (len(inside) - 1)
        start = x + (width - used) / 2
        top = y + _TITLE + (_MARK if self._marks is not None else 0.0)
        for inner, placed in zip(node.inner, inside, strict=True):
            yield from self._machine(inner, placed, (start, top))
            start += placed.width + _GAP


def _dot(node: Node, at: Point) -> Iterator[str]:
    x, y = at[0] + _DOT / 2, at[1] + _DOT / 2
    middle = f'cx="{x:.1f}" cy="{y:.1f}"'
    start = node.kind == "Start"
    fill = f'class="ink edge" fill="{INK}"' if start else f'class="page edge" fill="{PAGE}"'
    yield f'<circle {middle} r="6" {fill} stroke="{INK}" stroke-width="2"/>'
    if not start:
        yield f'<circle class="ink" {middle} r="2.5" fill="{INK}"/>'


def _small(text: str, x: float, y: float, how: str) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="middle" font-size="10.5" {how}>'
        f"{escape(text)}</text>"
    )


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
        f'<path class="way-{edge.way}" d="{" ".join(path)}" fill="none" '
        f'stroke="{WAYS[edge.way][0]}" stroke-width="1.3" marker-end="url(#{edge.way})"{dashes}/>'
    )


def _room(label: str) -> Size:
    return (wide(label, 11) + 8, 16.0) if label else (0.0, 0.0)


def _label(edge: Edge, middle: Point) -> Iterator[str]:
    x, y = middle
    width = wide(edge.label, 11) + 6
    yield (
        f'<rect class="page" x="{x - width / 2:.1f}" y="{y - 8:.1f}" width="{width:.1f}" '
        f'height="16" rx="3" fill="{PAGE}" fill-opacity="0.92"/>'
    )
    colour = f'class="head-{edge.way}" fill="{WAYS[edge.way][0]}"'
    yield _small(edge.label, x, y + 3.5, colour)


def _head(way: str, colour: str) -> str:
    return (
        f'<marker id="{way}" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" '
        f'markerHeight="7" orient="auto"><path class="head-{way}" d="M0 0 L8 4 L0 8 z" '
        f'fill="{colour}"/></marker>'
    )


def _attribute(text: str) -> str:
    return escape(text, {'"': "&quot;", "\n": " "})
