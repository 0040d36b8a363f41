"""Whoever makes a function what it is lends it, whoever else is at it at the same time."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from funcflow import conf as config
from funcflow import delegations, deploy, errors, identities, models
from funcflow.db import functions, runtimes, schema, trusts
from funcflow.db.engine import Database
from funcflow.stores.memory import MemoryStore
from funcflow.trusts import base
from funcflow.wishes import Wish

ANN = models.RequestContext(project_id="p", user_id="ann", roles=("member",), request_id="r")
BOB = dataclasses.replace(ANN, user_id="bob")
OWNER = delegations.Identity(kind="owner", roles=("member",))
WISH = Wish(name="f", runtime="python3", source="def main():\n    pass\n", identity=OWNER)


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("template") / "db"
    schema.upgrade(f"sqlite:///{path}")
    return path


@pytest.fixture
def database(template: Path, tmp_path: Path) -> Iterator[Database]:
    shutil.copy(template, tmp_path)
    made = Database(f"sqlite:///{tmp_path}/db")
    made.transact(lambda connection: runtimes.ensure_defaults(connection, "p"))
    yield made
    made.close()


@pytest.fixture
def deployer(database: Database) -> deploy.Deployer:
    conf = config.load(trusts={"driver": "memory"})
    return deploy.Deployer(conf, database, MemoryStore(conf))


def now(database: Database, function: models.Function) -> models.Function:
    with database.read() as connection:
        return functions.get(connection, function.id)


def kept(database: Database, function: models.Function) -> delegations.Trust:
    """What its owner lends it."""
    identity = now(database, function).revision.identity
    assert identity is not None
    assert identity.trust_id is not None
    with database.read() as connection:
        found = trusts.find(connection, identity.trust_id)
    assert found is not None
    assert found.user_id == identity.user_id
    return found


def test_the_owner_changes_it_with_the_same_trust(
    database: Database, deployer: deploy.Deployer
) -> None:
    made = deployer.create(ANN, WISH)
    before = kept(database, made)
    assert (before.user_id, before.remove_at, before.roles) == ("ann", None, ("member",))
    changed = deployer.update(ANN, made, Wish(timeout=9.0))
    assert changed.revision.number == 2
    assert kept(database, made) == before


def test_somebody_else_lends_their_own(database: Database, deployer: deploy.Deployer) -> None:
    made = deployer.create(ANN, WISH)
    deployer.update(BOB, made, Wish(description="only that"))
    assert kept(database, made).user_id == "ann"
    deployer.update(BOB, now(database, made), Wish(timeout=9.0))
    assert kept(database, made).user_id == "bob"


@pytest.mark.parametrize("first", [None, OWNER])
def test_a_change_made_meanwhile_gives_nobody_another_ones_identity(
    database: Database, deployer: deploy.Deployer, first: delegations.Identity | None
) -> None:
    """Ann looked at it before Bob changed it: her code must not run as Bob."""
    made = deployer.create(ANN, dataclasses.replace(WISH, identity=first))
    deployer.update(BOB, made, Wish(identity=OWNER, timeout=9.0))
    source = Wish(source="def main():\n    return 1\n")
    if first is None:
        with pytest.raises(errors.Conflict):
            deployer.update(ANN, made, source)
        assert kept(database, made).user_id == "bob"
    else:
        deployer.update(ANN, made, source)
        assert kept(database, made).user_id == "ann"


def test_who_is_refused_leaves_nothing(database: Database, deployer: deploy.Deployer) -> None:
    made = deployer.create(ANN, WISH)
    guest = dataclasses.replace(BOB, roles=("reader",))
    abroad = dataclasses.replace(BOB, project_id="q")
    # What she made with a password is not for her application credentials to use.
    weak, lent = dataclasses.replace(ANN, roles=()), dataclasses.replace(ANN, delegated=True)
    for asker in (guest, abroad, weak, lent):
        with pytest.raises(base.TrustRefused):
            deployer.update(asker, made, Wish(timeout=9.0))
    after = now(database, made)
    assert after.revision.number == 1
    assert kept(database, made).user_id == "ann"


def test_a_call_of_the_owners_renews_what_ends_soon(database: Database) -> None:
    young = config.load(trusts={"driver": "memory", "owner_lifetime": 100})
    made = deploy.Deployer(young, database, MemoryStore(young)).create(ANN, WISH)
    before = kept(database, made)
    identity = now(database, made).revision.identity
    assert identity is not None
    conf = config.load(trusts={"driver": "memory", "owner_lifetime": 10_000})
    for caller, renewed in ((BOB, False), (ANN, True)):
        lent = identities.Identities(conf, database).of_call(caller, identity, "p", lend=False)
        assert lent is None, "it acts as its owner"
        assert (kept(database, made).external_id != before.external_id) is renewed


def test_a_stranger_is_asked_first(database: Database) -> None:
    """Whose function it is decides, not what it says."""
    conf = config.load(trusts={"driver": "memory"})
    lending = identities.Identities(conf, database)
    caller = delegations.Identity(kind="caller", roles=("member",))
    with pytest.raises(identities.NotLent):
        lending.of_call(ANN, caller, "q", lend=False)
    assert lending.of_call(ANN, caller, "q", lend=True)
    assert lending.of_call(ANN, caller, "p", lend=False)
