"""Whoever makes a trigger what it is lends it, and what ends makes it rest."""

from __future__ import annotations

import dataclasses
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from funcflow import conf as config
from funcflow import delegations, errors, identities, models, trigger_identities
from funcflow.db import schema, triggers, trusts
from funcflow.db.engine import Database
from funcflow.events import SourceOf, Target, Trigger
from funcflow.trusts import base, book, memory

ANN = models.RequestContext(project_id="p", user_id="ann", roles=("member",), request_id="r")
BOB = dataclasses.replace(ANN, user_id="bob")
OWNER = delegations.Identity(kind="owner", roles=("member",))
CALLER = delegations.Identity(kind="caller", roles=("reader",))
#: Seconds.
LIFE = 1000.0


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("template") / "db"
    schema.upgrade(f"sqlite:///{path}")
    return path


class Desk:
    """Where triggers are made and changed, as the API does it."""

    def __init__(self, path: Path, driver: str = "memory") -> None:
        options = {"driver": driver, "owner_lifetime": LIFE, "check_interval": 0.0}
        settings = config.load(trusts=options)
        self.database = Database(f"sqlite:///{path}")
        self.trusts = book.load(settings, self.database)
        self.lending = trigger_identities.TriggerIdentities(settings, self.database, self.trusts)

    def make(self) -> Trigger:
        wanted = Trigger(
            id="t",
            project_id="p",
            source=SourceOf("webhook", {}),
            target=Target(kind="function", id="f"),
            identity=OWNER,
            created_at=1.0,
        )
        made = self.lending.of_new(ANN, wanted)

        def write(connection: Any) -> None:
            self.lending.settle(connection, None, None, made)
            triggers.create(connection, made, -1)

        self.database.transact(write)
        return made

    def change(
        self,
        asker: models.RequestContext,
        seen: Trigger,
        asked: bool = False,
        **changes: Any,
    ) -> Trigger:
        after = self.lending.of_changed(
            asker, seen, dataclasses.replace(seen, **changes), asked=asked
        )

        def write(connection: Any) -> Trigger:
            now = triggers.get(connection, seen.id)
            self.lending.settle(connection, seen, now, after)
            return triggers.update(connection, after, start_over=False)

        return self.database.transact(write)

    def now(self) -> Trigger:
        with self.database.read() as connection:
            return triggers.get(connection, "t")

    def kept(self) -> delegations.Trust:
        identity = self.now().identity
        assert identity is not None
        assert identity.trust_id is not None
        with self.database.read() as connection:
            found = trusts.find(connection, identity.trust_id)
        assert found is not None
        return found


@pytest.fixture
def desk(template: Path, tmp_path: Path) -> Iterator[Desk]:
    shutil.copy(template, tmp_path)
    made = Desk(tmp_path / "db")
    yield made
    made.database.close()


def test_nothing_that_a_trigger_needs_is_removed(desk: Desk) -> None:
    made = desk.make()
    assert desk.trusts.sweep(time.time() + 2 * book.PENDING) == 0
    assert desk.lending.delegation(made).user_id == "ann"
    desk.database.transact(lambda connection: triggers.delete(connection, made.id))
    assert desk.trusts.sweep() == 1
    with pytest.raises(base.TrustInvalid):
        desk.lending.delegation(made)


def test_what_its_owner_lends_is_renewed_as_they_change_it(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Past half of its time, or when they enable it."""
    made = desk.make()
    before = desk.kept()
    made = desk.change(ANN, made, input=1)
    assert desk.kept() == before
    at = time.time()
    monkeypatch.setattr(book.time, "time", lambda: at + LIFE / 2 + 1)
    made = desk.change(ANN, made, name="another name")
    assert desk.kept() == before, "what it does is the same"
    made = desk.change(ANN, made, input=2)
    renewed = desk.kept()
    assert renewed.id == before.id
    assert renewed.external_id != before.external_id
    assert renewed.expires_at == pytest.approx(at + 1.5 * LIFE, abs=60)
    rests = desk.change(ANN, made, enabled=False)
    desk.change(ANN, rests, enabled=True)
    assert desk.kept().external_id != renewed.external_id


def test_what_ended_makes_it_rest_until_it_is_lent_anew(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = desk.make()
    at = time.time()
    monkeypatch.setattr(memory.time, "time", lambda: at + LIFE + 1)
    with pytest.raises(base.TrustInvalid) as raised:
        desk.lending.check(made, None)
    desk.lending.end(made, raised.value)
    rests = desk.now()
    assert not rests.enabled
    assert rests.reason == "trust_invalid: the trust is gone"
    assert rests.identity == delegations.Identity(kind="owner", roles=("member",), user_id="ann")
    with pytest.raises(base.TrustInvalid):
        desk.lending.delegation(rests)
    awake = desk.change(BOB, rests, enabled=True, reason=None)
    assert desk.lending.delegation(awake).user_id == "bob"


def test_what_was_lent_anew_meanwhile_goes_on(desk: Desk) -> None:
    """Whoever found out that the old one is no good comes too late."""
    made = desk.make()
    desk.change(BOB, made, input=1)
    desk.lending.end(made, base.TrustInvalid("Ann's is gone"))
    assert desk.now().enabled


def test_of_two_who_change_it_at_the_same_time_one_does(desk: Desk) -> None:
    made = desk.make()
    desk.change(BOB, made, input=1)
    with pytest.raises(errors.Conflict, match="same time"):
        desk.change(ANN, made, input=2)
    kept = desk.now()
    assert kept.input == 1
    assert kept.identity is not None
    assert kept.identity.user_id == "bob"


def test_while_keystone_is_away_what_was_lent_goes_on_and_nothing_else_does(desk: Desk) -> None:
    """FAULTS 38. Nobody takes that for the end of it."""
    made = desk.make()
    token = desk.lending.delegation(made).token
    assert isinstance(desk.trusts.driver, memory.MemoryTrusts)
    desk.trusts.driver.away = True
    assert desk.lending.delegation(made).token == token
    with pytest.raises(errors.Unavailable):
        desk.change(BOB, made, input=1)
    assert desk.now() == made


def test_nobody_of_another_project_makes_it_what_it_is(desk: Desk) -> None:
    made = desk.make()
    root = dataclasses.replace(ANN, project_id="admins", user_id="root", is_admin=True)
    with pytest.raises(base.TrustRefused, match="project p"):
        desk.change(root, made, input=1)
    assert not desk.change(root, made, enabled=False).enabled


def test_what_is_lent_by_default(desk: Desk, template: Path, tmp_path: Path) -> None:
    default = desk.lending.default
    assert default("p", None, "p", source=False) is None
    assert default("p", None, "p", source=True) == OWNER
    owners = default("p", OWNER, "p", source=False)
    assert owners is None, "the function's owner lends it that"
    callers = default("p", CALLER, "p", source=True)
    assert callers == delegations.Identity(kind="owner", roles=("reader",))
    with pytest.raises(identities.NotLent):
        default("p", CALLER, "strangers", source=False)
    shutil.copy(template, tmp_path / "none")
    without = Desk(tmp_path / "none", driver="none")
    assert without.lending.default("p", None, "p", source=True) is None
    without.database.close()
