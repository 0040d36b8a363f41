"""Walks every state a model can reach, shortest way first.

A model names its steps; a step that only the environment takes (a user, a fault) does not
count as progress: what stands still but for those must be finished.
"""

from __future__ import annotations

import dataclasses
from collections import deque
from collections.abc import Callable, Hashable, Iterable, Iterator
from typing import Generic, NamedTuple, TypeVar

S = TypeVar("S", bound=Hashable)


class Step(NamedTuple, Generic[S]):
    """What happens, and the state afterwards."""

    name: str
    after: S
    #: False: nobody owes it.
    progress: bool = True


@dataclasses.dataclass(frozen=True)
class Model(Generic[S]):
    """``always`` holds in every state; ``finally_`` where nobody owes a step any more, and
    such a state can be reached from everywhere."""

    start: S
    steps: Callable[[S], Iterable[Step[S]]]
    always: tuple[Callable[[S], bool], ...]
    finally_: Callable[[S], bool]


@dataclasses.dataclass(frozen=True)
class Report:
    """``broken`` is the name of the invariant, and ``trace`` the shortest way to break it."""

    states: int
    broken: str | None = None
    trace: tuple[str, ...] = ()


def explore(model: Model[S], limit: int = 1_000_000) -> Report:
    """Breadth first.

    :raises RuntimeError: there are more states than ``limit``
    """
    came: dict[S, tuple[S, str] | None] = {model.start: None}
    progress: dict[S, list[S]] = {}
    resting: list[S] = []
    todo = deque([model.start])
    while todo:
        state = todo.popleft()
        for invariant in model.always:
            if not invariant(state):
                return Report(len(came), invariant.__name__, _trace(came, state))
        rests = True
        for step in model.steps(state):
            if step.progress:
                rests = False
                progress.setdefault(step.after, []).append(state)
            if step.after not in came:
                came[step.after] = (state, step.name)
                todo.append(step.after)
        if rests:
            if not model.finally_(state):
                return Report(len(came), model.finally_.__name__, _trace(came, state))
            resting.append(state)
        if len(came) > limit:
            raise RuntimeError(f"more than {limit} states")
    stuck = next(_unreachable(came, progress, resting), None)
    if stuck is not None:
        return Report(len(came), model.finally_.__name__, (*_trace(came, stuck), "for ever"))
    return Report(len(came))


def _trace(came: dict[S, tuple[S, str] | None], state: S) -> tuple[str, ...]:
    names: list[str] = []
    while (before := came[state]) is not None:
        state, name = before
        names.append(name)
    return tuple(reversed(names))


def _unreachable(states: Iterable[S], progress: dict[S, list[S]], resting: list[S]) -> Iterator[S]:
    """States from which progress alone leads to no rest."""
    ends = set(resting)
    todo = list(resting)
    while todo:
        for before in progress.get(todo.pop(), ()):
            if before not in ends:
                ends.add(before)
                todo.append(before)
    return (state for state in states if state not in ends)
