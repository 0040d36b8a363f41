"""One composition execution between its row, log, inbox, job and two conductors.

``doc/protocol.md`` tells the same in words. The composition: at once a task that runs
elsewhere and a timer; when both are done a task that its holder runs itself; then the end.
Each step is atomic in reality too: one transaction, one multi on the board, or something a
process does to itself. A mutant is the model without one guard.
"""

from __future__ import annotations

from collections.abc import Iterator

from tests.models.composition_invariants import INVARIANTS, MUTANTS, NothingAcceptedIsLost
from tests.models.composition_state import (
    CLOSED,
    HELD,
    IDLE,
    MAX_ATTEMPTS,
    OPEN,
    Holder,
    Plan,
    State,
    deliver,
    extended,
    fold,
    in_order,
    with_child,
)
from tests.models.explorer import Model, Step

CONDUCTORS = (0, 1)


class CompositionExecution:
    """Builds the model; ``without`` names the guard that a mutant lacks."""

    def __init__(self, *, without: str = "", faults: int = 1, requests: int = 1) -> None:
        self.without = without
        self.faults = faults
        self.requests = requests

    def model(self) -> Model[State]:
        return Model(State(), self.steps, INVARIANTS, NothingAcceptedIsLost)

    def guard(self, name: str) -> bool:
        assert name in MUTANTS
        return name != self.without

    def steps(self, s: State) -> Iterator[Step[State]]:
        """Conductors are alike: it is enough to look at one of two mirrored states."""
        for step in self._steps(s):
            after = in_order(step.after)
            yield step if after is step.after else step._replace(after=after)

    def _steps(self, s: State) -> Iterator[Step[State]]:
        if not s.due:
            yield Step("time passes", s._replace(due=True))
        yield from self.child(s)
        yield from self.feed(s)
        yield from self.user(s)
        for me in CONDUCTORS:
            yield from self.conductor(s, me)
            yield from self.fault(s, me)

    # -- those beside the conductors ------------------------------------------------------

    def child(self, s: State) -> Iterator[Step[State]]:
        """The task that runs elsewhere: an execution with a row of its own."""
        for number, state in enumerate(s.children):
            if state == "open":
                yield from self._child_ends(s, number)
            elif state == "ended, not told":  # only the mutant
                told = with_child(s, number, "ended")
                yield Step("child: tell", self.deliver(told, f"E{number}"))
                if s.hurt < self.faults:
                    yield Step("child: crash", told._replace(hurt=s.hurt + 1), False)

    def _child_ends(self, s: State, number: int) -> Iterator[Step[State]]:
        # Once nobody waits for it, it may as well never end by itself.
        owed = s.row not in CLOSED
        if self.guard("tell in the settling transaction"):
            after = self.deliver(with_child(s, number, "ended"), f"E{number}")
        else:
            after = with_child(s, number, "ended, not told")
        yield Step(f"child {number}: end", after, owed)
        if s.row in CLOSED and self.guard("children end with their parent"):
            yield Step(f"child {number}: cancel", with_child(s, number, "ended"))

    def deliver(self, s: State, entry: str) -> State:
        """Into the inbox, if somebody may still read it; wakes who is parked."""
        if s.row in CLOSED or (s.row == "dead" and not self.guard("the dead are told as well")):
            return s
        after = deliver(s, entry)
        return after if self.guard("telling wakes") else after._replace(row=s.row, posted=s.posted)

    def feed(self, s: State) -> Iterator[Step[State]]:
        """Posts jobs: for what is queued, for what is due, for what has lost its job."""
        queued = s.row == "queued" and not s.posted and self.guard("queued rows are posted")
        due = s.row == "waiting" and s.wake and s.due and self.guard("due rows are woken")
        if (queued or due) and not s.posting:
            woken = s._replace(row="queued", posted=True, wake=False, posting=True)
            yield Step("feed: wake", woken)
        if s.posting:
            yield Step("feed: post", s._replace(posting=False, job=True))
            if s.hurt < self.faults:
                crashed = s._replace(posting=False, hurt=s.hurt + 1)
                yield Step("feed: crash", crashed, False)
        expected = s.row == "running" or (s.row == "queued" and s.posted)
        if expected and not s.job and not s.posting and self.guard("sweeper re-posts"):
            yield Step("sweeper: post", s._replace(job=True))

    def user(self, s: State) -> Iterator[Step[State]]:
        if s.asked == self.requests:
            return
        asked = s._replace(asked=s.asked + 1)
        if s.row in OPEN and "X" not in s.inbox:
            yield Step("user: stop", self.deliver(asked, "X"), False)
        redriven = s.row == "aborted"
        redriven |= s.row == "succeeded" and not self.guard("redrive only failures")
        if redriven and "R" not in s.inbox:
            again = deliver(asked._replace(row="waiting", attempts=0), "R")
            yield Step("user: redrive", again, False)
        if s.row == "dead":
            again = asked._replace(row="queued", posted=False, attempts=0, barren=0)
            yield Step("user: redrive the dead", again, False)
        if s.row == "waiting":
            # A heartbeat's deadline: nothing is due if the heartbeat came.
            yield Step("feed: look", asked._replace(row="queued", posted=False, wake=False), False)

    # -- those who work -------------------------------------------------------------------

    def conductor(self, s: State, me: int) -> Iterator[Step[State]]:
        mine = s.conductors[me]
        match mine.at:
            case "idle":
                if s.job and s.lock is None:
                    clock = s.clock + 1
                    locked = s._replace(lock=me, locked=clock, clock=clock)
                    yield Step(f"c{me}: claim", self._at(locked, me, Holder("claimed", clock)))
            case "claimed":
                yield self._start(s, me, mine)
            case "doomed":
                buried = s
                if s.row == "running" and s.epoch == mine.epoch:
                    buried = s._replace(row="dead")
                yield Step(f"c{me}: bury", self._at(buried, me, mine._replace(at="leaving")))
            case "holds":
                yield from self._hold(s, me, mine)
            case "appends":
                yield from self._append(s, me, mine)
            case "leaving":
                yield Step(f"c{me}: consume", self._at(self._consumed(s, me, mine), me, IDLE))

    @staticmethod
    def _consumed(s: State, me: int, mine: Holder) -> State:
        """The job is removed, if the claim is still ours."""
        ours = s.lock == me and s.locked == mine.epoch
        return s._replace(job=False, lock=None) if ours else s

    def _start(self, s: State, me: int, mine: Holder) -> Step[State]:
        """Take the row, if nobody else has it under a later claim; read the log."""
        leave = self._at(s, me, mine._replace(at="leaving"))
        wanted = s.row in HELD or (
            s.row in CLOSED and not self.guard("start only what has not ended")
        )
        if not wanted:
            return Step(f"c{me}: nothing to start", leave)
        if mine.epoch <= s.epoch and self.guard("start with a greater epoch"):
            return Step(f"c{me}: a later claim has it", leave)
        wrong = "CurrentClaimDecides" if mine.epoch < s.epoch else s.wrong
        attempts = s.attempts + int(self.guard("claims without progress are counted"))
        doomed = attempts > MAX_ATTEMPTS
        row = s._replace(
            row="running",
            epoch=mine.epoch,
            attempts=attempts,
            barren=s.barren + int(not doomed),
            wake=False,
            wrong=wrong,
        )
        asks = self.guard("ask again after a takeover") or not s.log
        holder = mine._replace(at="doomed" if doomed else "holds", known=len(s.log), asks=asks)
        return Step(f"c{me}: start", self._at(row, me, holder))

    def _hold(self, s: State, me: int, mine: Holder) -> Iterator[Step[State]]:
        """Ask for what is outstanding; decide what to append."""
        seen = fold(s.log[: mine.known])
        name = f"c{me}"
        if "E" in seen.waits and mine.asks:
            yield from self._ask(s, me, mine, seen.round)
        if "L" in seen.waits and not mine.ran and mine.asks:
            yield Step(f"{name}: run", self._run(s, me, mine))
        for signal in self._signals(s, mine):
            for plan in self._plans(s, mine, signal):
                holder = mine._replace(at="appends", plan=plan)
                said = f"{plan.signal or 'nothing'}, {plan.then}"
                yield Step(f"{name}: decide on {said}", self._at(s, me, holder))
        if mine.ran and not self.guard("consume the job last"):
            yield Step(f"{name}: consume early", self._consumed(s, me, mine))
        if s.asked < self.requests and seen.status == "running":
            yield self._give_back(s, me, mine)

    def _give_back(self, s: State, me: int, mine: Holder) -> Step[State]:
        """The conductor is to end: back to the queue, for somebody else."""
        if s.row == "running" and s.epoch == mine.epoch:
            attempts = s.attempts - int(self.guard("giving back costs no attempt"))
            s = s._replace(row="queued", posted=False, attempts=max(0, attempts))
            s = s._replace(asked=s.asked + 1, barren=max(0, s.barren - 1))
        return Step(f"c{me}: give back", self._at(s, me, mine._replace(at="leaving")), False)

    def _ask(self, s: State, me: int, mine: Holder, number: int) -> Iterator[Step[State]]:
        """Insert the child. Its id follows from ours and the command's, so twice is once."""
        after = with_child(s, number, s.children[number] or "open")
        if not self.guard("ask under one name"):
            wrong = "OneChildPerCommand" if s.children[number] else s.wrong
            after = self._at(after._replace(wrong=wrong), me, mine._replace(asks=False))
        if after != s:
            yield Step(f"c{me}: ask", after)

    def _run(self, s: State, me: int, mine: Holder) -> State:
        """The task the holder runs itself."""
        logged = any("L" in fold(s.log[: end + 1]).waits for end in range(len(s.log)))
        wrong = s.wrong if logged else "AskedIsLogged"
        ran = s._replace(runs=s.runs + 1, wrong=wrong)
        return self._at(ran, me, mine._replace(ran=True))

    def _signals(self, s: State, mine: Holder) -> Iterator[str]:
        """What could be logged next; "" for nothing (but to park)."""
        log = s.log[: mine.known]
        seen = fold(log)
        if not log:
            yield "S"
            return
        read = mine.read if mine.read is not None else s.consumed
        if read < len(s.inbox):
            yield s.inbox[read]
        timer = f"T{seen.round}"
        waits = "T" in seen.waits or (timer in log and not self.guard("a timer fires once"))
        due = s.due or not self.guard("a timer fires when it is due")
        if seen.status == "running" and waits and due:
            yield timer
        if "L" in seen.waits and mine.ran:
            yield f"L{seen.round}"
        yield ""

    def _plans(self, s: State, mine: Holder, signal: str) -> Iterator[Plan]:
        before = fold(s.log[: mine.known])
        after = fold(extended(s.log[: mine.known], signal))
        if before.status == "running" and after.status != "running":
            yield Plan(signal, "settle")
            return
        if signal:
            yield Plan(signal, "stay")
        asked = "E" not in after.waits or s.children[after.round] != ""
        asked = asked or not self.guard("park when all is asked for")
        nothing_due = not s.due or "T" not in after.waits
        if after.status == "running" and "L" not in after.waits and nothing_due and asked:
            yield Plan(signal, "park")

    def _append(self, s: State, me: int, mine: Holder) -> Iterator[Step[State]]:
        plan = mine.plan
        assert plan is not None
        from_inbox = plan.signal[:1] in ("E", "X", "R")
        if from_inbox and mine.read is None and not self.guard("consume with the append"):
            taken = s._replace(consumed=s.consumed + 1)
            holder = mine._replace(read=s.consumed)
            yield Step(f"c{me}: consume the entry", self._at(taken, me, holder))
            return
        wanted = "L" in fold(extended(s.log[: mine.known], plan.signal)).waits
        if wanted and not mine.ran and not self.guard("ask after the append"):
            yield Step(f"c{me}: run early", self._run(s, me, mine))
        name = f"c{me}: append {plan.signal or 'nothing'}, {plan.then}"
        current = s.row == "running" and s.epoch == mine.epoch
        fits = len(s.log) == mine.known or not self.guard("append at its number")
        if not current and self.guard("append under the current claim"):
            yield Step(f"{name}: fenced", self._at(s, me, Holder("leaving", mine.epoch)))
        elif not fits:
            again = mine._replace(at="holds", known=len(s.log), plan=None, read=None)
            yield Step(f"{name}: not its number", self._at(s, me, again))
        else:
            after = self._appended(s, mine, plan, from_inbox)
            yield Step(name, self._at(after, me, self._afterwards(after, mine, plan)))
            if s.hurt < self.faults:
                unknown = after._replace(hurt=s.hurt + 1)
                yield Step(f"{name}: no answer", unknown, False)

    def _appended(self, s: State, mine: Holder, plan: Plan, from_inbox: bool) -> State:
        """One transaction: log, inbox, and what becomes of the row."""
        if s.epoch != mine.epoch:
            s = s._replace(wrong="FencedZombie")
        if from_inbox and mine.read is None and self.guard("append with the consume"):
            s = s._replace(consumed=s.consumed + 1)
        log = extended(s.log, plan.signal)
        kept = bool(plan.signal) and not self.guard("an append is progress")
        kept = kept or (not plan.signal and not self.guard("parking is progress"))
        s = s._replace(log=log, attempts=s.attempts if kept else 0, barren=0)
        if plan.then == "settle":
            return s._replace(row=fold(log).status)
        told = len(s.inbox) > s.consumed and self.guard("park unless told something")
        if plan.then == "park" and not told:
            return s._replace(row="waiting", wake="T" in fold(log).waits)
        return s

    @staticmethod
    def _afterwards(s: State, mine: Holder, plan: Plan) -> Holder:
        if s.row != "running":
            return Holder("leaving", mine.epoch)
        # After a redrive the task runs anew.
        ran = mine.ran and "L" in fold(s.log).waits
        return mine._replace(at="holds", known=len(s.log), plan=None, ran=ran, read=None, asks=True)

    # -- what goes wrong ------------------------------------------------------------------

    def fault(self, s: State, me: int) -> Iterator[Step[State]]:
        if s.hurt == self.faults:
            return
        hurt = s._replace(hurt=s.hurt + 1)
        freed = hurt._replace(lock=None) if s.lock == me else hurt
        if s.conductors[me] != IDLE:
            yield Step(f"c{me}: crash", self._at(freed, me, IDLE), False)
        if s.lock == me:
            # It works on without knowing.
            yield Step(f"c{me}: session lost", freed, False)

    @staticmethod
    def _at(s: State, me: int, where: Holder) -> State:
        conductors = list(s.conductors)
        conductors[me] = where
        return s._replace(conductors=tuple(conductors))
