"""One message of a Zaqar queue between two events processes that fetch by claim.

Claim, deliver, delete, as :mod:`funcflow.triggers.zaqar.driver` does it. Claims end by
themselves, processes die, deliveries take long; a guard is a condition the source rests on, a
mutant is the model without one of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from tests.models.explorer import Model, Step

PROCESSES = (0, 1)
CRASHES, ENDINGS = 2, 3


class Process(NamedTuple):
    """Where it is with the message, and under which claim."""

    at: str = "idle"
    claim: int = 0


IDLE = Process()


class State(NamedTuple):
    # Zaqar's: whether the message is there, and whose claim is on it (0: none).
    message: bool = True
    claim: int = 0
    claims: int = 0
    # Ours: whether the event is durable, and the executions it made.
    durable: bool = False
    executions: int = 0
    processes: tuple[Process, ...] = (IDLE, IDLE)
    crashes: int = CRASHES
    endings: int = ENDINGS


class Zaqar:
    """Builds the model; ``without`` names the guard that a mutant lacks."""

    def __init__(self, without: str = "") -> None:
        self.without = without

    def model(self) -> Model[State]:
        return Model(State(), self.steps, INVARIANTS, NothingIsLost)

    def guard(self, name: str) -> bool:
        assert name in MUTANTS
        return name != self.without

    def steps(self, s: State) -> Iterator[Step[State]]:
        for each in PROCESSES:
            yield from self.process(s, each)
        if s.claim and s.endings:
            yield Step("claim ends early", s._replace(claim=0, endings=s.endings - 1), False)
        if s.claim and all(p.claim != s.claim for p in s.processes) and self.guard("claims end"):
            yield Step("dead claim ends", s._replace(claim=0))

    def process(self, s: State, i: int) -> Iterator[Step[State]]:
        at, claim = s.processes[i]
        if at == "idle" and s.message and (not s.claim or not self.guard("claim is exclusive")):
            new = s.claims + 1
            held = s._replace(claim=new, claims=min(new, 9))
            yield Step(f"{i} claims", _put(held, i, Process("claimed", new)))
        if at == "claimed" and self.guard("deliver before delete"):
            yield Step(f"{i} delivers", _put(self.delivered(s), i, Process("delivered", claim)))
        if at == "delivered" or (at == "claimed" and not self.guard("deliver before delete")):
            yield Step(f"{i} deletes", self.deleted(s, i))
        if at == "deleted":
            yield Step(f"{i} delivers late", _put(self.delivered(s), i, IDLE))
        if at != "idle" and s.crashes:
            yield Step(f"{i} dies", _put(s._replace(crashes=s.crashes - 1), i, IDLE), False)

    def delivered(self, s: State) -> State:
        """Made durable, under the event's id: an event that is known makes no execution."""
        new = not s.durable or not self.guard("known by its id")
        return s._replace(durable=True, executions=min(2, s.executions + new))

    def deleted(self, s: State, i: int) -> State:
        """Zaqar deletes what it is told to, whoever has it claimed by then."""
        at, claim = s.processes[i]
        after = IDLE if at == "delivered" else Process("deleted", claim)
        return _put(s._replace(message=False, claim=0), i, after)


def _put(s: State, i: int, process: Process) -> State:
    processes = list(s.processes)
    processes[i] = process
    return s._replace(processes=tuple(processes))


def RunsOnce(s: State) -> bool:
    """However often it is delivered."""
    return s.executions <= 1


def DeletedIsDurable(s: State) -> bool:
    return s.message or s.durable


def NothingIsLost(s: State) -> bool:
    """In the end it ran, and the queue is empty."""
    return s.executions >= 1 and not s.message


INVARIANTS = (RunsOnce, DeletedIsDurable)
#: What breaks without which guard; the last one costs nothing but work that is done twice.
MUTANTS = {
    "known by its id": "RunsOnce",
    "deliver before delete": "DeletedIsDurable",
    "claims end": "NothingIsLost",
    "claim is exclusive": None,
}
