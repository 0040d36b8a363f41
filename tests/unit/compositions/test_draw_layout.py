from __future__ import annotations

import itertools
import random

import pytest

from funcflow.compositions.draw_layout import MOST, Layout, TooLargeToDraw, layout

SIZE = (100.0, 40.0)
NO_LABEL = (0.0, 0.0)


def plain(count: int, *edges: tuple[int, int]) -> Layout:
    return layout([SIZE] * count, edges, [NO_LABEL] * len(edges))


def test_a_chain_is_a_straight_line_down() -> None:
    placed = plain(3, (0, 1), (1, 2))
    assert placed.width == SIZE[0]
    assert [x for x, _ in placed.boxes] == [0.0] * 3
    assert [y for _, y in placed.boxes] == sorted({y for _, y in placed.boxes})
    assert {x for way in placed.ways for x, _ in way} == {50.0}


def test_a_way_leads_from_the_foot_of_one_to_the_head_of_the_other() -> None:
    placed = plain(4, (0, 1), (0, 2), (1, 3), (2, 3))
    for (source, target), way in zip(((0, 1), (0, 2), (1, 3), (2, 3)), placed.ways, strict=True):
        assert way[0][1] == placed.boxes[source][1] + SIZE[1]
        assert way[-1][1] == placed.boxes[target][1]


def test_a_way_back_ends_at_the_foot_of_where_it_leads() -> None:
    placed = plain(3, (0, 1), (1, 2), (2, 1))
    back = placed.ways[2]
    assert back[0][1] == placed.boxes[2][1]
    assert back[-1][1] == placed.boxes[1][1] + SIZE[1]
    assert back[-1] != placed.ways[1][0]


def test_a_state_may_lead_to_itself() -> None:
    placed = plain(2, (0, 1), (1, 1))
    assert len(placed.ways[1]) > 2


@pytest.mark.parametrize("seed", range(40))
def test_nothing_covers_anything(seed: int) -> None:
    chance = random.Random(seed)
    count = chance.randint(2, 14)
    edges = [(chance.randrange(n), n) for n in range(1, count)]
    edges += [(chance.randrange(1, count), chance.randrange(1, count)) for _ in range(count // 2)]
    sizes = [(chance.uniform(20, 200), chance.uniform(20, 90)) for _ in range(count)]
    labels = [(chance.choice((0.0, 80.0)), 16.0) for _ in edges]

    placed = layout(sizes, edges, labels)

    boxes = [(x, y, w, h) for (x, y), (w, h) in zip(placed.boxes, sizes, strict=True)]
    for (x, y), (w, h) in zip(placed.labels, labels, strict=True):
        boxes += [(x - w / 2, y - h / 2, w, h)] if w else []
    for one, other in itertools.combinations(boxes, 2):
        assert apart(one, other)
    for x, y, w, h in boxes:
        assert -0.01 <= x <= x + w <= placed.width + 0.01
        assert -0.01 <= y <= y + h <= placed.height + 0.01


def apart(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    (x, y, w, h), (u, v, b, t) = one, other
    return x + w <= u + 0.01 or u + b <= x + 0.01 or y + h <= v + 0.01 or v + t <= y + 0.01


def test_a_long_chain_is_no_more_work_than_many_states() -> None:
    """Each is looked at a few times, not once for each other."""
    count = MOST // 2
    placed = plain(count, *((n, n + 1) for n in range(count - 1)))
    assert placed.count == 2 * count - 1
    assert {x for x, _ in placed.boxes} == {0.0}


def test_what_would_take_too_long_is_refused_at_once() -> None:
    count = 400
    edges = [(a, b) for a in range(count) for b in range(a + 1, count)]
    with pytest.raises(TooLargeToDraw):
        plain(count, *edges)
