"""What one state of :mod:`.composition_model` holds, and what a log means."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

#: Claims without progress before an execution is buried.
MAX_ATTEMPTS = 1
HELD = frozenset({"queued", "running"})
OPEN = HELD | {"waiting"}
CLOSED = frozenset({"succeeded", "aborted"})


class Plan(NamedTuple):
    """What a holder is about to append ("": nothing), and what then: stay, park, settle."""

    signal: str
    then: str


class Holder(NamedTuple):
    """Where a conductor is with the execution, and what it has in memory."""

    at: str = "idle"
    epoch: int = 0
    #: Signals of the log it knows.
    known: int = 0
    #: It has the result of the task it runs itself.
    ran: bool = False
    plan: Plan | None = None
    #: Only mutants: the entry it has consumed and not logged; whether it asks for anything.
    read: int | None = None
    asks: bool = True


IDLE = Holder()


class State(NamedTuple):
    # The row.
    row: str = "queued"
    posted: bool = False
    epoch: int = 0
    attempts: int = 0
    #: Its time to wake is known.
    wake: bool = False
    consumed: int = 0
    # The other tables: signals, everything ever delivered, the child of each round.
    log: tuple[str, ...] = ()
    inbox: tuple[str, ...] = ()
    children: tuple[str, str] = ("", "")
    # The board, and who is about to post on it.
    job: bool = False
    lock: int | None = None
    locked: int = 0
    clock: int = 0
    posting: bool = False
    # The processes, the time.
    conductors: tuple[Holder, Holder] = (IDLE, IDLE)
    due: bool = False
    # What has happened so far: only the invariants look at it.
    runs: int = 0
    #: Claims since the last progress.
    barren: int = 0
    wrong: str = ""
    #: Faults so far, and requests of users.
    hurt: int = 0
    asked: int = 0


class Fold(NamedTuple):
    """What a log amounts to. A redrive begins a new round, with commands of its own."""

    status: str
    round: int
    #: Of E (task elsewhere), T (timer), L (task of the holder's own).
    waits: frozenset[str]


@cache
def fold(log: tuple[str, ...]) -> Fold:
    """Signals are S(tarted), E0, T0, L0 (answers and their round), X (stop), R(edriven)."""
    if not log:
        return Fold("new", 0, frozenset())
    status, round_, done = "running", 0, set[str]()
    for signal in log[1:]:
        kind = signal[0]
        if kind == "R" and status == "aborted":
            status, round_ = "running", round_ + 1
        elif status != "running":
            continue
        elif kind == "X":
            status = "aborted"
        elif signal == f"{kind}{round_}" and (kind != "L" or {"E", "T"} <= done):
            # What does not fit is an answer that nobody waits for.
            done.add(kind)
            status = "succeeded" if kind == "L" else status
    waits = {"E", "T"} - done or {"L"} if status == "running" else set()
    return Fold(status, round_, frozenset(waits))


def extended(log: tuple[str, ...], signal: str) -> tuple[str, ...]:
    return (*log, signal) if signal else log


def deliver(s: State, entry: str) -> State:
    """One transaction: the entry, and a parked row into the queue."""
    parked = s.row == "waiting"
    return s._replace(
        inbox=(*s.inbox, entry),
        row="queued" if parked else s.row,
        posted=False if parked else s.posted,
        wake=False if parked else s.wake,
    )


def with_child(s: State, number: int, state: str) -> State:
    children = list(s.children)
    children[number] = state
    return s._replace(children=(children[0], children[1]))


def in_order(s: State) -> State:
    """The same with the conductors in the order of their claims."""
    first, second = s.conductors
    if first.epoch <= second.epoch:
        return s
    lock = None if s.lock is None else 1 - s.lock
    return s._replace(conductors=(second, first), lock=lock)
