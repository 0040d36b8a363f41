"""What must hold in :mod:`.composition_model`, and which guard each invariant needs."""

from __future__ import annotations

from collections import Counter

from tests.models.composition_state import CLOSED, MAX_ATTEMPTS, State, fold


def CurrentClaimDecides(s: State) -> bool:
    return s.wrong != "CurrentClaimDecides"


def FencedZombie(s: State) -> bool:
    return s.wrong != "FencedZombie"


def AskedIsLogged(s: State) -> bool:
    return s.wrong != "AskedIsLogged"


def OneChildPerCommand(s: State) -> bool:
    return s.wrong != "OneChildPerCommand"


def EachSignalOnce(s: State) -> bool:
    return all(count == 1 for count in Counter(s.log).values())


def NotBeforeItsTime(s: State) -> bool:
    return s.due or not any(signal[0] == "T" for signal in s.log)


def TerminalStable(s: State) -> bool:
    """What the log says has ended has ended, unless a redrive waits to be taken."""
    ended = fold(s.log).status
    return ended not in CLOSED or s.row == ended or "R" in s.inbox[s.consumed :]


def RerunsHaveACause(s: State) -> bool:
    return s.runs <= 1 + s.hurt + s.asked


def BarrenClaimsBounded(s: State) -> bool:
    return s.barren <= MAX_ATTEMPTS


def OnlyPoisonIsBuried(s: State) -> bool:
    return s.row != "dead" or s.barren >= MAX_ATTEMPTS


def NothingAcceptedIsLost(s: State) -> bool:
    """Where nobody owes a step: ended or dead, nothing left on the board, no child left."""
    done = s.row in CLOSED or s.row == "dead"
    return done and not s.job and s.lock is None and "open" not in s.children


INVARIANTS = (
    CurrentClaimDecides,
    FencedZombie,
    AskedIsLogged,
    OneChildPerCommand,
    EachSignalOnce,
    NotBeforeItsTime,
    TerminalStable,
    RerunsHaveACause,
    BarrenClaimsBounded,
    OnlyPoisonIsBuried,
)

#: Every guard, and the invariant that breaks without it.
MUTANTS = {
    "tell in the settling transaction": "NothingAcceptedIsLost",
    "the dead are told as well": "NothingAcceptedIsLost",
    "telling wakes": "NothingAcceptedIsLost",
    "children end with their parent": "NothingAcceptedIsLost",
    "queued rows are posted": "NothingAcceptedIsLost",
    "due rows are woken": "NothingAcceptedIsLost",
    "sweeper re-posts": "NothingAcceptedIsLost",
    "redrive only failures": "TerminalStable",
    "start only what has not ended": "TerminalStable",
    "start with a greater epoch": "CurrentClaimDecides",
    "claims without progress are counted": "BarrenClaimsBounded",
    "an append is progress": "OnlyPoisonIsBuried",
    "parking is progress": "OnlyPoisonIsBuried",
    "giving back costs no attempt": "OnlyPoisonIsBuried",
    "ask again after a takeover": "NothingAcceptedIsLost",
    "ask under one name": "OneChildPerCommand",
    "ask after the append": "AskedIsLogged",
    "a timer fires once": "EachSignalOnce",
    "a timer fires when it is due": "NotBeforeItsTime",
    "consume the job last": "RerunsHaveACause",
    "append under the current claim": "FencedZombie",
    "append at its number": "EachSignalOnce",
    "append with the consume": "EachSignalOnce",
    "consume with the append": "NothingAcceptedIsLost",
    "park when all is asked for": "NothingAcceptedIsLost",
    "park unless told something": "NothingAcceptedIsLost",
}
