from __future__ import annotations

import re

import pytest

from funcflow.compositions.compile import compile_definition, parse
from funcflow.compositions.draw import Edge, graph, mermaid
from funcflow.compositions.draw_marks import Mark
from funcflow.compositions.draw_visits import Outcome
from tests.unit.compositions.machines import Maker

ORDER = """
StartAt: Check
States:
  Check:
    Type: Choice
    Choices:
      - {Variable: $.count, NumericGreaterThan: 3, Next: Many}
      - And:
          - {Variable: $.kind, StringEquals: '<"#">'}
          - Not: {Variable: $.count, IsPresent: true}
        Next: Odd
    Default: Many
  Many:
    Type: Map
    ItemProcessor:
      StartAt: One
      States:
        One:
          Type: Task
          Resource: pack
          Catch: [{ErrorEquals: [Torn, Lost], Next: Gone}]
          End: true
        Gone: {Type: Fail}
    Next: Check
  Odd: {Type: Succeed}
"""


def test_transitions_are_edges_in_the_order_they_are_tried() -> None:
    drawn = graph(parse(ORDER).machine)
    assert [node.name for node in drawn.nodes] == ["", "Check", "Many", "Odd", ""]
    assert drawn.edges == (
        Edge(0, 1),
        Edge(1, 2, "choice", "$.count > 3"),
        Edge(1, 3, "choice", '$.kind = "<\\"#\\">" and not $.count …'),
        Edge(1, 2, "default", "otherwise"),
        Edge(2, 1),
        Edge(3, 4),
    )


def test_inner_machines_are_inside_of_their_state() -> None:
    (inner,) = graph(parse(ORDER).machine).nodes[2].inner
    assert [node.kind for node in inner.nodes] == ["Start", "Task", "Fail", "End"]
    assert Edge(1, 2, "catch", "Torn, Lost") in inner.edges


def test_an_end_that_nothing_reaches_is_not_drawn() -> None:
    states = {"A": {"Type": "Pass", "Next": "A"}}
    drawn = graph(compile_definition({"StartAt": "A", "States": states}).machine)
    assert [node.kind for node in drawn.nodes] == ["Start", "Pass"]


def test_mermaid() -> None:
    assert mermaid(parse(ORDER)).splitlines() == [
        "flowchart TD",
        "  n0((Start))",
        '  n1{{"Check<br/>Choice"}}',
        '  subgraph n2["Many: Map"]',
        "    n2_0_0((Start))",
        '    n2_0_1["One<br/>pack"]',
        '    n2_0_2["Gone<br/>Fail"]',
        "    n2_0_3((End))",
        "    n2_0_0 --> n2_0_1",
        "    n2_0_1 --> n2_0_3",
        '    n2_0_1 -.->|"Torn, Lost"| n2_0_2',
        "    n2_0_2 --> n2_0_3",
        "  end",
        '  n3["Odd<br/>Succeed"]',
        "  n4((End))",
        "  n0 --> n1",
        '  n1 -->|"$.count #gt; 3"| n2',
        '  n1 -->|"$.kind = #quot;#lt;\\#quot;#35;\\#quot;#gt;#quot; and not $.count …"| n3',
        '  n1 -->|"otherwise"| n2',
        "  n2 --> n1",
        "  n3 --> n4",
    ]


@pytest.mark.parametrize("seed", range(30))
def test_every_state_of_any_definition_is_drawn_once(seed: int) -> None:
    definition = parse(Maker(seed).definition())
    drawn = mermaid(definition)
    for name in definition.states:
        assert len(re.findall(rf'"{name}(?:<br/>|: |")', drawn)) == 1


def test_mermaid_of_an_execution() -> None:
    states = {"A": {"Type": "Pass", "Next": "B"}, "B": {"Type": "Succeed"}}
    drawn = mermaid(
        parse({"StartAt": "A", "States": states}), {"A": Mark(Outcome.TIMED_OUT, "✗ 1 s", "")}
    )
    assert '  n1["A<br/>Pass<br/>✗ 1 s"]' in drawn.splitlines()
    assert "  class n1 timed-out" in drawn.splitlines()
