"""Secrets as conductors open, remember and forget them."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from funcflow import conf as config
from funcflow import errors, models
from funcflow.conductor import secrets
from funcflow.db import schema
from funcflow.db import secrets as db
from funcflow.db.engine import Database
from funcflow.secrets import barbican, keyring


class Place:
    """A conductor's secrets, and the database that has them."""

    def __init__(self, folder: Path, cache_time: float = 60.0) -> None:
        self.conf = config.load(
            (), default={"data_dir": str(folder)}, secrets={"cache_time": cache_time}
        )
        schema.upgrade(config.database_url(self.conf))
        self.database = Database(config.database_url(self.conf), read_connections=2)
        self.ring = keyring.Keys(self.conf).ring
        self.secrets = secrets.Secrets(self.conf, self.database)

    def keep(self, name: str, value: str, **fields: Any) -> models.Secret:
        made = models.Secret(id=f"id-{name}", name=name, project_id="p", created_at=1.0)
        made = dataclasses.replace(made, sealed=self.ring.seal(value, made))
        made = dataclasses.replace(made, **fields)
        self.database.transact(lambda c: db.create(c, made, 100))
        return made

    def change(self, name: str, value: str) -> None:
        def change(now: models.Secret) -> models.Secret:
            following = dataclasses.replace(now, version=now.version + 1)
            return dataclasses.replace(following, sealed=self.ring.seal(value, following))

        self.database.transact(lambda c: db.replace(c, f"id-{name}", change))


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    made = Place(tmp_path)
    yield made
    made.database.close()


def revision(*mounts: tuple[str, models.SecretPlace, str]) -> models.Revision:
    return models.Revision(
        function_id="f", number=1, project_id="p", runtime_id=None, code={}, digest="d",
        secrets=tuple(models.SecretMount(secret=s, mount=m, name=n) for s, m, n in mounts),
    )  # fmt: skip


BOTH = revision(("a", "environment", "A"), ("b", "metadata", "b"), ("b", "environment", "B"))


def test_each_is_where_it_was_asked_for(place: Place) -> None:
    place.keep("a", "value-a")
    place.keep("b", "value-b")
    mounted = place.secrets.mount(BOTH)
    assert mounted.environment == {"A": "value-a", "B": "value-b"}
    assert mounted.metadata == {"b": "value-b"}
    assert "value" not in repr(mounted)
    assert place.secrets.hidden.hide("value-a, value-b, other") == "***, ***, other"
    assert place.secrets.mount(revision()) is secrets.NOTHING


def test_they_are_remembered_until_somebody_says_they_changed(place: Place) -> None:
    place.keep("a", "old")
    one = revision(("a", "environment", "A"))
    before = place.secrets.mount(one)
    place.change("a", "new")
    assert place.secrets.mount(one) == before
    place.secrets.forget()
    after = place.secrets.mount(one)
    assert after.environment == {"A": "new"}
    assert after.stamp != before.stamp
    assert place.secrets.mount(one) == after


def test_they_are_not_remembered_for_ever(tmp_path: Path) -> None:
    place = Place(tmp_path, cache_time=0)
    try:
        place.keep("a", "old")
        one = revision(("a", "metadata", "a"))
        assert place.secrets.mount(one).metadata == {"a": "old"}
        place.change("a", "new")
        assert place.secrets.mount(one).metadata == {"a": "new"}
        assert place.secrets.mount(one).stamp == "", "calls get it, workers do not"
    finally:
        place.database.close()


def test_what_cannot_be_had_is_told(place: Place) -> None:
    moved = place.keep("a", "canary")
    place.keep("b", "other", sealed=moved.sealed)
    place.keep("c", "", sealed=None, barbican="there")
    for name, told in (("b", "something else"), ("c", "is not here"), ("d", "no secret 'd'")):
        with pytest.raises(secrets.SecretUnavailable, match=told) as caught:
            place.secrets.mount(revision((name, "environment", "A")))
        assert "canary" not in str(caught.value)
    place.database.transact(
        lambda c: db.replace(c, "id-a", lambda now: dataclasses.replace(now, version=9))
    )
    with pytest.raises(secrets.SecretUnavailable):
        place.secrets.mount(revision(("a", "environment", "A")))


def test_without_the_key_nothing_opens(place: Place, tmp_path: Path) -> None:
    place.keep("a", "canary")
    shutil.move(tmp_path / "secrets.key", tmp_path / "lost.key")
    other = secrets.Secrets(place.conf, place.database)
    with pytest.raises(secrets.SecretUnavailable, match="is not there"):
        other.mount(revision(("a", "environment", "A")))


class Away:
    """A Barbican that is away, or refuses."""

    def __init__(self, error: errors.FuncflowError) -> None:
        self.error = error

    def read(self, secret_id: str) -> str:
        raise self.error


def test_barbican_away_is_no_failure_of_the_function(place: Place) -> None:
    place.keep("a", "", sealed=None, barbican="there")
    one = revision(("a", "metadata", "a"))
    place.secrets._barbican = Away(errors.Unavailable("away"))  # type: ignore[assignment]
    with pytest.raises(errors.Unavailable):
        place.secrets.mount(one)
    place.secrets._barbican = Away(barbican.Refused("no"))  # type: ignore[assignment]
    with pytest.raises(secrets.SecretUnavailable):
        place.secrets.mount(one)
