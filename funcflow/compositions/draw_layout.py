"""Places for the nodes of a graph, and ways for its edges: top to bottom, in layers.

Called by :mod:`funcflow.compositions.draw_svg`. Every edge passes a *bend* in the layer
between two layers of nodes, as wide as its label, so that labels cover nothing. Edges that
go back are laid out as if they went forward. What it costs grows with the nodes and bends, of
which there may be :data:`MOST`.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from funcflow.errors import BadRequest

Point = tuple[float, float]

#: Nodes and bends of one picture: about two seconds of work.
MOST: Final = 50_000

_SPACE = 26.0
_LAYER = 14.0
_SWEEPS = 8


class TooLargeToDraw(BadRequest):
    """There are too many states, or ways that go too far."""

    code = "too_large_to_draw"
    hint = "Ask for format mermaid, or split the composition: a Task can start another one."

    def __init__(self) -> None:
        super().__init__("the definition is too large for a picture")


@dataclass(slots=True, eq=False)
class _Item:
    """A node or a bend; ``x`` is its middle."""

    width: float
    height: float
    layer: int
    x: float = 0.0
    y: float = 0.0
    above: list[_Item] = field(default_factory=list)
    below: list[_Item] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Layout:
    """``boxes``: left, top of each node. ``ways``: points of each edge, source first."""

    width: float
    height: float
    boxes: tuple[Point, ...]
    ways: tuple[tuple[Point, ...], ...]
    #: Middle of the label of each edge.
    labels: tuple[Point, ...]
    #: Nodes and bends.
    count: int


def layout(
    sizes: Sequence[tuple[float, float]],
    edges: Sequence[tuple[int, int]],
    labels: Sequence[tuple[float, float]],
) -> Layout:
    """Lay out nodes of these sizes, joined by edges with labels of these sizes.

    The first node is on top; no edge leads to it.

    :raises TooLargeToDraw: there are too many, or edges that pass too many
    """
    back = _back(len(sizes), edges)
    depth = _depths(len(sizes), [(b, a) if (a, b) in back else (a, b) for a, b in edges])
    count = len(sizes) + sum(max(1, 2 * abs(depth[a] - depth[b]) - 1) for a, b in edges)
    if count > MOST:
        raise TooLargeToDraw
    nodes = [_Item(*size, 2 * depth[n]) for n, size in enumerate(sizes)]
    items = list(nodes)
    chains: list[list[_Item]] = []
    for (source, target), size in zip(edges, labels, strict=True):
        top, bottom = (target, source) if (source, target) in back else (source, target)
        chain = _chain(nodes[top], nodes[bottom], size)
        items += chain[1:-1]
        chains.append(chain)
    layers = _layers(items)
    _order(layers)
    height = _vertical(layers)
    width = _horizontal(layers)
    ways = [_way(chain) for chain in chains]
    flipped = [
        tuple(reversed(way)) if edge in back else tuple(way)
        for way, edge in zip(ways, edges, strict=True)
    ]
    return Layout(
        width,
        height,
        tuple((node.x - node.width / 2, node.y) for node in nodes),
        tuple(flipped),
        tuple((chain[1].x, chain[1].y + chain[1].height / 2) for chain in chains),
        count,
    )


def _back(count: int, edges: Sequence[tuple[int, int]]) -> set[tuple[int, int]]:
    """Edges to where a walk from the top has come from; a loop of one state as well."""
    targets: list[list[int]] = [[] for _ in range(count)]
    for source, target in edges:
        targets[source].append(target)
    found: set[tuple[int, int]] = set()
    state = [0] * count
    for root in range(count):
        stack = [] if state[root] else [(root, iter(targets[root]))]
        state[root] = state[root] or 1
        while stack:
            node, rest = stack[-1]
            target = next(rest, -1)
            if target < 0:
                state[node] = 2
                stack.pop()
            elif state[target] == 1:
                found.add((node, target))
            elif state[target] == 0:
                state[target] = 1
                stack.append((target, iter(targets[target])))
    return found


def _depths(count: int, edges: Sequence[tuple[int, int]]) -> list[int]:
    """Longest way from the top to each node."""
    depth = [0] * count
    waits = [0] * count
    after: list[list[int]] = [[] for _ in range(count)]
    for source, target in edges:
        if source != target:
            after[source].append(target)
            waits[target] += 1
    ready = [node for node in range(count) if not waits[node]]
    while ready:
        node = ready.pop()
        for target in after[node]:
            depth[target] = max(depth[target], depth[node] + 1)
            waits[target] -= 1
            if not waits[target]:
                ready.append(target)
    return depth


def _chain(top: _Item, bottom: _Item, label: tuple[float, float]) -> list[_Item]:
    """The ends of an edge and its bends between them; one bend beside a loop of one state."""
    layers = range(top.layer + 1, bottom.layer) if top is not bottom else (top.layer + 1,)
    chain = [top]
    for layer in layers:
        width, height = label if layer == top.layer + 1 else (0.0, 0.0)
        chain.append(_Item(max(width, 8.0), height, layer))
    chain.append(bottom)
    for upper, lower in itertools.pairwise(chain):
        if lower.layer > upper.layer:
            upper.below.append(lower)
            lower.above.append(upper)
    return chain


def _layers(items: Sequence[_Item]) -> list[list[_Item]]:
    found: dict[int, list[_Item]] = {}
    for item in items:
        found.setdefault(item.layer, []).append(item)
    return [found[layer] for layer in sorted(found)]


def _order(layers: list[list[_Item]]) -> None:
    """Order each layer so that few edges cross: by the middle of the neighbours, to and fro."""
    place: dict[_Item, float] = {}
    for layer in layers:
        _place(layer, place)
    for sweep in range(_SWEEPS):
        down = sweep % 2 == 0
        for layer in layers if down else reversed(layers):
            means = {
                item: _mean([place[near] for near in (item.above if down else item.below)])
                for item in layer
            }
            layer[:] = _sorted(layer, means, place)
            _place(layer, place)


def _sorted(
    layer: list[_Item], means: Mapping[_Item, float | None], place: Mapping[_Item, float]
) -> list[_Item]:
    return sorted(layer, key=lambda item: _or(means[item], place[item]))


def _place(layer: list[_Item], place: dict[_Item, float]) -> None:
    """Note the place of each item within its layer, from 0 to 1."""
    for number, item in enumerate(layer):
        place[item] = (number + 0.5) / len(layer)


def _vertical(layers: list[list[_Item]]) -> float:
    y = 0.0
    for layer in layers:
        height = max(item.height for item in layer)
        for item in layer:
            # A bend without a label goes straight through: beside nodes there is no room to turn.
            item.height = item.height or height
            item.y = y + (height - item.height) / 2
        y += height + _LAYER
    return y - _LAYER


def _horizontal(layers: list[list[_Item]]) -> float:
    """Move items to the middle of their neighbours as far as those beside them let them."""
    for layer in layers:
        _spread(layer, [item.x for item in layer])
    for sweep in range(2 * _SWEEPS):
        down = sweep % 2 == 0
        for layer in layers if down else reversed(layers):
            wanted = [
                _or(_mean([near.x for near in (item.above if down else item.below)]), item.x)
                for item in layer
            ]
            _spread(layer, wanted)
    every = [item for layer in layers for item in layer]
    left = min(item.x - item.width / 2 for item in every)
    for item in every:
        item.x -= left
    return max(item.x + item.width / 2 for item in every)


@dataclass(slots=True)
class _Block:
    """Neighbours that touch each other: how many, how wide, and where they want to begin."""

    count: int
    width: float
    #: Of each one's wish for the left edge of the block.
    sum: float

    @property
    def left(self) -> float:
        """Where the block begins that has its members as near as can be to what they want."""
        return self.sum / self.count

    def join(self, after: _Block) -> None:
        self.sum += after.sum - after.count * self.width
        self.count += after.count
        self.width += after.width


def _spread(layer: list[_Item], wanted: list[float]) -> None:
    """Give each item the place it wants, and where they collide, the middle of what they want."""
    blocks: list[_Block] = []
    for item, want in zip(layer, wanted, strict=True):
        blocks.append(_Block(1, item.width + _SPACE, want - item.width / 2))
        while len(blocks) > 1 and blocks[-2].left + blocks[-2].width > blocks[-1].left + 1e-6:
            after = blocks.pop()
            blocks[-1].join(after)
    items = iter(layer)
    for block in blocks:
        x = block.left
        for item in itertools.islice(items, block.count):
            item.x = x + item.width / 2
            x += item.width + _SPACE


def _way(chain: list[_Item]) -> list[Point]:
    top, *bends, bottom = chain
    first, last = (bends[0], bends[-1]) if bends else (bottom, top)
    points = [(_port(top, top.below, first), top.y + top.height)]
    for bend in bends:
        points += [(bend.x, bend.y), (bend.x, bend.y + bend.height)]
    points.append((_port(bottom, bottom.above, last), bottom.y))
    return points


def _port(node: _Item, neighbours: list[_Item], near: _Item) -> float:
    """Where an edge meets a node: in the order of the neighbours, around its middle."""
    beside = sorted(neighbours, key=lambda item: item.x)
    step = min(22.0, node.width / (len(beside) + 1))
    place = beside.index(near) if near in beside else 0
    return node.x + (place - (len(beside) - 1) / 2) * step


def _mean(values: list[float]) -> float | None:
    return sum(values) / len(values) if values else None


def _or(value: float | None, other: float) -> float:
    return other if value is None else value
