"""Any project and function has labels and a namespace that the rules allow, its own."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from funcflow.sandboxes.kubernetes import names

LABEL = re.compile(r"(([A-Za-z0-9][-A-Za-z0-9_.]{0,61})?[A-Za-z0-9])?")
NAMESPACE = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")


@given(st.text())
def test_labels_are_valid(text: str) -> None:
    assert LABEL.fullmatch(names.label(text))


def test_plain_ones_stay_as_they_are() -> None:
    project = "5f2d0d7a8c3e4b6f9a1b2c3d4e5f6a7b"
    assert names.label(project) == project
    assert names.namespace("funcflow", project) == f"funcflow-{project}"
    assert names.namespace("funcflow", None) == "funcflow"


@given(st.text(min_size=1))
def test_namespaces_are_valid(project: str) -> None:
    assert NAMESPACE.fullmatch(names.namespace("funcflow", project))


def test_namespaces_differ_where_projects_do() -> None:
    projects = ["a", "A", "a-", "a b", "a_b", "ä", "ö", "x" * 70, "x" * 71]
    assert len({names.namespace("funcflow", project) for project in projects}) == len(projects)
