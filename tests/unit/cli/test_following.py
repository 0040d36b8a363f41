from __future__ import annotations

import pytest

from funcflow.cli.following import Follower, read
from funcflow.compositions.compile import parse
from tests.unit.compositions.machines import Maker
from tests.virtual import World

FUNCTION = """
import time
def handler(event, context):
    time.sleep(event)
    if event == 3:
        raise ValueError("three")
    return event
"""
NESTED = """
StartAt: Both
States:
  Both:
    Type: Parallel
    Branches:
      - StartAt: Each
        States:
          Each:
            Type: Map
            ItemProcessor:
              StartAt: Work
              States:
                Work: {Type: Task, Resource: work, End: true}
            Catch: [{ErrorEquals: [ValueError], Next: Other}]
            Next: Other
          Other: {Type: Pass, End: true}
      - StartAt: Nothing
        States:
          Nothing: {Type: Pass, End: true}
    Next: Last
  Last: {Type: Wait, Seconds: 60, End: true}
"""


def followed(definition: str, given: object) -> list[str]:
    lines: list[str] = []
    follower = Follower(lines.append)
    for event in World({"work": FUNCTION}).run(parse(definition), given).history:
        follower.event("", event)
    return [line.rstrip("\n") for line in lines]


def test_states_are_told_where_they_are_and_how_long_they_took() -> None:
    assert followed(NESTED, [1, 2]) == [
        "   0.000  > Both",
        "   0.000  > Both/Each",
        "   0.000  > Both/Nothing",
        "   0.000  < Both/Nothing (0.000 s)",
        "   0.000  > Both/Each[0]/Work",
        "   0.000  > Both/Each[1]/Work",
        "   1.000  < Both/Each[0]/Work (1.000 s)",
        "   2.000  < Both/Each[1]/Work (2.000 s)",
        "   2.000  < Both/Each (2.000 s)",
        "   2.000  > Both/Other",
        "   2.000  < Both/Other (0.000 s)",
        "   2.000  < Both (2.000 s)",
        "   2.000  > Last",
        "  62.000  < Last (60.000 s)",
    ]


def test_a_failure_is_told_where_it_happens() -> None:
    lines = followed(NESTED, [3])
    assert "   3.000  ! Both/Each[0]/Work: ValueError" in lines
    assert "   3.000  < Both/Each (3.000 s)" in lines
    assert lines[-1] == "  63.000  < Last (60.000 s)"


def test_what_functions_print_has_their_name() -> None:
    lines: list[str] = []
    Follower(lines.append).printed("work", "one\ntwo\n")
    assert lines == ["          work: one\n", "          work: two\n"]


@pytest.mark.parametrize("seed", range(40))
def test_a_history_from_a_server_says_the_same(seed: int) -> None:
    """Apart from what times lose on the wire."""
    history = World().run(parse(Maker(seed).definition()), {"n": 1, "items": [1, 2, 3]}).history
    here: list[str] = []
    there: list[str] = []
    one, other = Follower(here.append), Follower(there.append)
    for event in history:
        one.event("", event)
        other.event("", read(event.wire()))

    def said(lines: list[str]) -> list[str]:
        return [line.split(None, 1)[1].partition(" (")[0] for line in lines]

    assert said(there) == said(here)
