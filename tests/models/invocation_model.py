"""The life of one invocation between its row, its job and two conductors.

``doc/protocol.md`` tells the same in words. Each step is atomic in reality too: one
database transaction, one multi on the board, or something a single process does to itself.
A guard is a condition the protocol rests on; a mutant is the model without one of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from tests.models.explorer import Model, Step

CONDUCTORS = (0, 1)
MAX_ATTEMPTS = 2
#: Crashes, lost sessions and failures of the platform, altogether.
FAULTS = 3
SETTLED = frozenset({"succeeded", "failed", "cancelled", "lost"})
OPEN = frozenset({"queued", "running"})


class Conductor(NamedTuple):
    """Where it is with the invocation, under which claim, in which attempt."""

    at: str = "idle"
    epoch: int = 0
    attempt: int = 0


IDLE = Conductor()


class State(NamedTuple):
    # The row.
    row: str | None = None
    epoch: int = 0
    attempts: int = 0
    # The board: the job, who has locked it, under which epoch.
    job: bool = False
    lock: int | None = None
    locked: int = 0
    clock: int = 0
    # The processes.
    api: str = "new"
    conductors: tuple[Conductor, ...] = (IDLE, IDLE)
    # What has happened so far: only the invariants look at it.
    accepted: bool = False
    runs: int = 0
    counted: int = 0
    causes: int = 0
    outcome: str | None = None
    outcomes: int = 0
    newest: int = 0
    redrives: int = 0
    cancelled: bool = False
    wrong: str = ""
    # What may still go wrong.
    faults: int = FAULTS
    requests: int = 2


class Invocation:
    """Builds the model; ``without`` names the guard that a mutant lacks."""

    def __init__(self, *, at_most_once: bool, without: str = "") -> None:
        self.at_most_once = at_most_once
        self.without = without

    def model(self) -> Model[State]:
        always = (AtMostOnceRunsOnce, *INVARIANTS) if self.at_most_once else INVARIANTS
        return Model(State(), self.steps, always, NothingAcceptedIsLost)

    def guard(self, name: str) -> bool:
        assert name in MUTANTS
        return name != self.without

    def steps(self, s: State) -> Iterator[Step[State]]:
        yield from self.api(s)
        yield from self.user(s)
        yield from self.sweeper(s)
        for me in CONDUCTORS:
            yield from self.conductor(s, me)
            yield from self.faults(s, me)

    # -- those who ask --------------------------------------------------------------------

    def api(self, s: State) -> Iterator[Step[State]]:
        if s.api == "new":
            early = not self.guard("row before answer")
            row = s.row if early else "queued"
            yield Step("api: insert", s._replace(api="inserted", row=row, accepted=True))
            for me in CONDUCTORS:
                if s.conductors[me] == IDLE:
                    yield self._hand_over(s, me)
        elif s.api == "inserted":
            row = s.row or "queued"  # only the mutant has none yet
            yield Step("api: post", s._replace(api="done", row=row, job=True))
            if s.faults:
                yield Step("api: crash", s._replace(api="done", faults=s.faults - 1), False)

    def _hand_over(self, s: State, me: int) -> Step[State]:
        """The conductor posts and claims in one step; the row comes after."""
        clock = s.clock + 1
        after = s._replace(api="done", job=True, lock=me, locked=clock, clock=clock)
        early = not self.guard("hand-over answers after its row")
        return Step(
            f"c{me}: post and claim",
            self._at(after._replace(accepted=early), me, Conductor("handed", clock)),
        )

    def user(self, s: State) -> Iterator[Step[State]]:
        if not s.requests or not s.accepted or s.row is None:
            return
        asked = s._replace(requests=s.requests - 1)
        if s.row in OPEN or not self.guard("cancel only what is open"):
            yield Step("user: cancel", self._settle(asked, "cancelled"), False)
        settled = s.row in SETTLED - {"cancelled"}
        if s.row == "dead" or (settled and not self.guard("redrive only what is dead")):
            queued = asked._replace(row="queued", attempts=0, redrives=s.redrives + 1)
            yield Step("user: redrive", queued._replace(causes=s.causes + 1), False)
        if s.row == "queued":
            yield Step("sweeper: expire", asked._replace(row="dead"), False)

    def sweeper(self, s: State) -> Iterator[Step[State]]:
        if s.row in OPEN and not s.job and s.api == "done" and self.guard("sweeper re-posts"):
            yield Step("sweeper: post", s._replace(job=True))

    # -- those who work -------------------------------------------------------------------

    def conductor(self, s: State, me: int) -> Iterator[Step[State]]:
        mine = s.conductors[me]
        name = f"c{me}"
        if mine.at == "idle" and s.job and s.lock is None:
            clock = s.clock + 1
            locked = s._replace(lock=me, locked=clock, clock=clock)
            yield Step(f"{name}: claim", self._at(locked, me, Conductor("claimed", clock)))
        elif mine.at == "handed":
            yield self._insert(s, me, mine)
        elif mine.at == "claimed":
            yield self._start(s, me, mine)
        elif mine.at == "started":
            yield from self._begin(s, me, mine)
        elif mine.at == "ran":
            for outcome in ("succeeded", "failed"):
                done = self._fenced(s, mine, outcome, "settle under the current claim")
                yield Step(
                    f"{name}: settle {outcome}", self._at(done, me, mine._replace(at="ended"))
                )
            if s.faults:
                yield self._fail(s, me, mine)
            if not self.guard("settle before consume"):
                yield Step(f"{name}: consume early", self._consume(s, me, mine, mine))
        elif mine.at == "ended":
            yield Step(f"{name}: consume", self._consume(s, me, mine, IDLE))

    def _insert(self, s: State, me: int, mine: Conductor) -> Step[State]:
        """The row of a hand-over, running from the start."""
        row = s._replace(row="running", epoch=mine.epoch, newest=mine.epoch, accepted=True)
        row = row._replace(attempts=1, counted=s.counted + 1)
        return Step(
            f"c{me}: insert running", self._at(row, me, mine._replace(at="started", attempt=1))
        )

    def _start(self, s: State, me: int, mine: Conductor) -> Step[State]:
        """Count the attempt and take the row, if it is open and no later claim has it."""
        ended = self._at(s, me, mine._replace(at="ended"))
        if s.row is None and not self.guard("run only what has a row"):
            return Step(f"c{me}: start", self._at(s, me, mine._replace(at="started", attempt=1)))
        if s.row not in OPEN:
            return Step(f"c{me}: nothing to start", ended)
        if mine.epoch <= s.epoch and self.guard("start with a greater epoch"):
            return Step(f"c{me}: a later claim has it", ended)
        counted = int(self.guard("count before running"))
        row = s._replace(
            row="running",
            epoch=mine.epoch,
            newest=max(s.newest, mine.epoch),
            attempts=s.attempts + counted,
            counted=s.counted + counted,
        )
        if mine.epoch < s.newest:
            row = row._replace(wrong="CurrentClaimDecides")
        attempt = s.attempts + 1
        return Step(
            f"c{me}: start", self._at(row, me, mine._replace(at="started", attempt=attempt))
        )

    def _begin(self, s: State, me: int, mine: Conductor) -> Iterator[Step[State]]:
        """Run the user's code, unless this attempt must not."""
        again = mine.attempt > 1
        if mine.attempt > MAX_ATTEMPTS and self.guard("bury after the last attempt"):
            dead = self._fenced(s, mine, "dead", "bury under the current claim")
            yield Step(f"c{me}: bury", self._at(dead, me, mine._replace(at="ended")))
        elif self.at_most_once and again and self.guard("at-most-once is not run again"):
            lost = self._fenced(s, mine, "lost", "settle under the current claim")
            yield Step(f"c{me}: lose", self._at(lost, me, mine._replace(at="ended")))
        else:
            running = s._replace(runs=s.runs + 1)
            yield Step(f"c{me}: run", self._at(running, me, mine._replace(at="ran")))
            if s.faults:
                yield self._give_back(s, me, mine)

    def _give_back(self, s: State, me: int, mine: Conductor) -> Step[State]:
        """There is no room: back to the queue before anything ran; costs no attempt."""
        row = self._fenced(s, mine, "queued", "requeue under the current claim")
        if row.row == "queued":
            row = row._replace(attempts=max(0, row.attempts - 1), counted=max(0, s.counted - 1))
        row = row._replace(faults=s.faults - 1)
        return Step(f"c{me}: no room", self._at(row, me, mine._replace(at="ended")), False)

    def _fail(self, s: State, me: int, mine: Conductor) -> Step[State]:
        """The sandbox broke during the run: back to the queue, or dead."""
        last = mine.attempt >= MAX_ATTEMPTS and self.guard("bury after the last attempt")
        row = self._fenced(s, mine, "dead" if last else "queued", "requeue under the current claim")
        if row.row == "queued" and not self.guard("what has run keeps its attempt"):
            row = row._replace(attempts=max(0, row.attempts - 1))
        row = row._replace(faults=s.faults - 1, causes=s.causes + 1)
        return Step(f"c{me}: sandbox lost", self._at(row, me, mine._replace(at="ended")), False)

    def _fenced(self, s: State, mine: Conductor, row: str, guard: str) -> State:
        """Write to the row if it still runs under this claim."""
        current = s.epoch == mine.epoch
        if s.row != "running" and self.guard("an outcome is the last"):
            return s
        if not current and self.guard(guard):
            return s
        if not current:
            s = s._replace(wrong="FencedZombie")
        return self._settle(s, row) if row in SETTLED else s._replace(row=row)

    @staticmethod
    def _settle(s: State, outcome: str) -> State:
        return s._replace(
            row=outcome,
            outcome=s.outcome or outcome,
            outcomes=s.outcomes + 1,
            cancelled=s.cancelled or outcome == "cancelled",
        )

    def _consume(self, s: State, me: int, mine: Conductor, then: Conductor) -> State:
        """Remove the job, unless somebody else has claimed it since."""
        ours = s.lock == me and s.locked == mine.epoch
        others = s.lock is not None and not ours
        if others and self.guard("consume leaves others' claims"):
            return self._at(s, me, then)
        if others:
            s = s._replace(wrong="OthersClaimsAreLeftAlone")
        return self._at(s._replace(job=False, lock=None), me, then)

    # -- what goes wrong ------------------------------------------------------------------

    def faults(self, s: State, me: int) -> Iterator[Step[State]]:
        if not s.faults:
            return
        hurt = s._replace(faults=s.faults - 1, causes=s.causes + 1)
        freed = hurt._replace(lock=None) if s.lock == me else hurt
        if s.conductors[me] != IDLE:
            crashed = freed if self.guard("claims end with their session") else hurt
            yield Step(f"c{me}: crash", self._at(crashed, me, IDLE), False)
        if s.lock == me:
            # It works on without knowing.
            yield Step(f"c{me}: session lost", freed, False)

    @staticmethod
    def _at(s: State, me: int, where: Conductor) -> State:
        conductors = list(s.conductors)
        conductors[me] = where
        return s._replace(conductors=tuple(conductors))


# -- what must hold ---------------------------------------------------------------------------


def OneSettledOutcome(s: State) -> bool:
    return s.outcomes <= 1


def TerminalStable(s: State) -> bool:
    return s.outcome is None or s.row == s.outcome


def CancelWinsOrLosesOnce(s: State) -> bool:
    return not s.cancelled or s.row == "cancelled"


def CurrentClaimDecides(s: State) -> bool:
    return s.wrong != "CurrentClaimDecides"


def FencedZombie(s: State) -> bool:
    return s.wrong != "FencedZombie"


def OthersClaimsAreLeftAlone(s: State) -> bool:
    return s.wrong != "OthersClaimsAreLeftAlone"


def NoRunWithoutRow(s: State) -> bool:
    return not s.runs or s.row is not None


def AttemptBeforeRun(s: State) -> bool:
    return s.runs <= s.counted


def AtMostOnceRunsOnce(s: State) -> bool:
    """Unless its owner asks for it again."""
    return s.runs <= 1 + s.redrives


def RunsBounded(s: State) -> bool:
    return s.runs <= MAX_ATTEMPTS * (1 + s.redrives)


def RerunsHaveACause(s: State) -> bool:
    return s.runs <= 1 + s.causes


def NoOrphanClaim(s: State) -> bool:
    return s.lock is None or s.conductors[s.lock] != IDLE


def NothingAcceptedIsLost(s: State) -> bool:
    """Where nobody owes a step: settled or dead, nothing left on the board."""
    done = s.row in SETTLED or s.row == "dead" or (s.row is None and not s.accepted)
    return done and not s.job and s.lock is None


INVARIANTS = (
    CurrentClaimDecides,
    FencedZombie,
    OthersClaimsAreLeftAlone,
    OneSettledOutcome,
    CancelWinsOrLosesOnce,
    TerminalStable,
    NoRunWithoutRow,
    AttemptBeforeRun,
    RunsBounded,
    RerunsHaveACause,
    NoOrphanClaim,
)

#: Those that only at-most-once functions need.
AT_MOST_ONCE = {"at-most-once is not run again", "what has run keeps its attempt"}
#: Every guard, and the invariant that breaks without it.
MUTANTS = {
    "row before answer": "NothingAcceptedIsLost",
    "hand-over answers after its row": "NothingAcceptedIsLost",
    "sweeper re-posts": "NothingAcceptedIsLost",
    "cancel only what is open": "OneSettledOutcome",
    "redrive only what is dead": "TerminalStable",
    "an outcome is the last": "CancelWinsOrLosesOnce",
    "settle under the current claim": "FencedZombie",
    "requeue under the current claim": "FencedZombie",
    "bury under the current claim": "FencedZombie",
    "settle before consume": "RerunsHaveACause",
    "run only what has a row": "NoRunWithoutRow",
    "start with a greater epoch": "CurrentClaimDecides",
    "count before running": "AttemptBeforeRun",
    "bury after the last attempt": "RunsBounded",
    "at-most-once is not run again": "AtMostOnceRunsOnce",
    "what has run keeps its attempt": "AtMostOnceRunsOnce",
    "consume leaves others' claims": "OthersClaimsAreLeftAlone",
    "claims end with their session": "NoOrphanClaim",
}
