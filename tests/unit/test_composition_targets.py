from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from funcflow import errors, ids, models
from funcflow.composition_targets import CompositionTargets
from funcflow.db import composition_aliases, composition_versions, compositions
from tests import conducting
from tests.conducting import CONTEXT, PROJECT, Stage, machine


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with conducting.stage(tmp_path) as made:
        made.watch_board()
        yield made


@pytest.fixture
def made(stage: Stage) -> models.Composition:
    """A composition with version 1, changed since, and alias live of version 1."""
    composition = stage.composition(machine({"Type": "Pass"}), name="greet")
    now = time.time()
    stage.database.transact(
        lambda conn: composition_versions.create(conn, composition.id, PROJECT, now=now)
    )
    changed = models.CompositionRevision(
        composition_id=composition.id, number=2, project_id=PROJECT, type="EXPRESS",
        definition=composition.revision.definition, digest="1" * 64,
    )  # fmt: skip
    stage.database.transact(
        lambda conn: compositions.new_revision(conn, composition.id, PROJECT, changed, now=now)
    )
    alias = models.CompositionAlias(
        id=ids.new(), name="live", project_id=PROJECT, composition_id=composition.id,
        composition_version=1, created_at=now,
    )  # fmt: skip
    stage.database.transact(lambda conn: composition_aliases.create(conn, alias))
    return composition


def test_what_names_versions_and_aliases_mean(stage: Stage, made: models.Composition) -> None:
    targets = CompositionTargets(stage.database, 5.0)
    for reference in (made.id, made.id.upper(), "greet"):
        latest = targets.resolve(CONTEXT, reference)
        assert (latest.composition_id, latest.version, latest.revision) == (made.id, 0, 2)
        assert latest.type == "EXPRESS"
    first = targets.resolve(CONTEXT, "greet", 1)
    assert (first.version, first.revision, first.type) == (1, 1, "STANDARD")
    assert targets.resolve(CONTEXT, "greet", alias="live") == first


def test_an_alias_shares_the_starts(stage: Stage, made: models.Composition) -> None:
    stage.database.transact(
        lambda conn: composition_aliases.update(
            conn, made.id, "live", PROJECT, now=1.0, weights={0: 0.5}
        )
    )
    targets = CompositionTargets(stage.database, 5.0)
    found = Counter(targets.resolve(CONTEXT, "greet", alias="live").version for _ in range(100))
    assert set(found) == {0, 1}


def test_nothing_of_that_name(stage: Stage, made: models.Composition) -> None:
    targets = CompositionTargets(stage.database, 5.0)
    other = models.RequestContext(project_id="other", request_id="r")
    for context, arguments in (
        (CONTEXT, ("nobody",)),
        (CONTEXT, ("greet", 7)),
        (CONTEXT, ("greet", 0, "nobody")),
        (CONTEXT, (ids.new(),)),
        (other, ("greet",)),
        (other, (made.id,)),
    ):
        with pytest.raises(errors.NotFound):
            targets.resolve(context, *arguments)  # type: ignore[arg-type]


def test_what_is_remembered_is_forgotten_when_it_changed(
    stage: Stage, made: models.Composition
) -> None:
    targets = CompositionTargets(stage.database, 600.0)
    assert targets.resolve(CONTEXT, "greet").revision == 2
    stage.database.transact(
        lambda conn: compositions.update(conn, made.id, PROJECT, now=1.0, name="hello")
    )
    assert targets.resolve(CONTEXT, "greet").revision == 2
    targets.forget()
    with pytest.raises(errors.NotFound):
        targets.resolve(CONTEXT, "greet")
