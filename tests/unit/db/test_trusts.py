"""Which trusts functions and executions need."""

from __future__ import annotations

import dataclasses

import pytest

from funcflow import delegations
from funcflow.db import executions, functions, trusts, versions
from funcflow.db.engine import Database
from tests.unit.db import factory

NOW = 1000.0


def lend(database: Database, name: str, **fields: object) -> str:
    trust = delegations.Trust(
        id=name, external_id=f"external {name}", kind="owner", user_id="u", project_id="p",
        roles=("member",), expires_at=None, created_at=NOW,
    )  # fmt: skip
    made = dataclasses.replace(trust, **fields)  # type: ignore[arg-type]
    database.transact(lambda c: trusts.insert(c, made))
    return name


def gone(database: Database, now: float) -> set[str]:
    """Those to be removed."""
    database.transact(lambda c: trusts.condemn(c, now))
    with database.read() as connection:
        return {trust.id for trust in trusts.condemned(connection, now, 10)}


def owned_by(trust_id: str) -> delegations.Identity:
    return delegations.Identity(kind="owner", roles=("member",), user_id="u", trust_id=trust_id)


def test_they_are_kept_as_they_are(database: Database) -> None:
    lend(database, "one", expires_at=2000.0, roles=("a", "b"), remove_at=5.0)
    with database.read() as connection:
        found = trusts.find(connection, "one")
    assert found is not None
    assert (found.roles, found.expires_at, found.removing) == (("a", "b"), 2000.0, False)
    assert "external" not in repr(found)


def test_a_revision_needs_it_as_long_as_anything_points_there(database: Database) -> None:
    first = factory.kept_function(database, identity=owned_by(lend(database, "first")))
    made = first.revision.identity
    assert made == owned_by("first")
    database.transact(lambda c: versions.create(c, first.id, None, now=NOW))
    new = factory.revision(identity=owned_by(lend(database, "second")))
    database.transact(lambda c: functions.new_revision(c, first.id, None, new, now=NOW))
    later = NOW + trusts.GRACE + 1
    assert gone(database, later) == set()
    database.transact(lambda c: versions.delete(c, first.id, 1, None, now=NOW))
    assert gone(database, NOW + 1) == set(), "somebody may have read what to run"
    assert gone(database, later) == {"first"}
    database.transact(lambda c: functions.delete(c, first.id, None, now=later))
    assert gone(database, later) == {"first", "second"}, "with the function at once"


@pytest.mark.parametrize("kind", ["owner", "caller"])
def test_what_was_accepted_needs_it_to_its_end(database: Database, kind: str) -> None:
    if kind == "owner":
        made = factory.kept_function(database, identity=owned_by(lend(database, "lent")))
        run = factory.running(database, function_id=made.id)
    else:
        made = factory.kept_function(database)
        lend(database, "lent", kind="caller", remove_at=NOW)
        run = factory.running(database, function_id=made.id, trust_id="lent")
        with database.read() as connection:
            assert executions.get(connection, run.id).trust_id == "lent"
    database.transact(lambda c: functions.delete(c, made.id, None, now=NOW))
    assert gone(database, NOW + 1) == set()
    database.write(executions.Cancel(run.id, NOW))
    assert gone(database, NOW + 1) == {"lent"}


def test_what_is_about_to_go_is_not_kept_or_found(database: Database) -> None:
    lend(database, "old", kind="caller", expires_at=9000.0, remove_at=NOW)

    def find(now: float) -> str | None:
        return database.transact(
            lambda c: trusts.of_caller(
                c, "u", "p", ("member",), now=now, lasting=8000.0, remove_at=now + 50
            )
        )

    assert find(NOW - 1) == "old"
    assert gone(database, NOW) == set(), "it is kept for longer now"
    assert find(NOW + 100) is None
    assert gone(database, NOW + 100) == {"old"}
    assert find(NOW) is None
    assert not database.transact(lambda c: trusts.keep(c, "old"))


def test_an_execution_says_why_it_ended(database: Database) -> None:
    run = factory.running(database)
    settle = executions.Settle(
        id=run.id, epoch=run.epoch, owner=run.owner or "", state=executions.State.FAILED,
        reason="trust_invalid", now=NOW,
    )  # fmt: skip
    assert database.write(settle)
    with database.read() as connection:
        assert executions.get(connection, run.id).reason == "trust_invalid"
