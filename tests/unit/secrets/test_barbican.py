"""References to Barbican as people give them."""

from __future__ import annotations

import pytest

from funcflow import conf as config
from funcflow import errors
from funcflow.secrets import barbican

ID = "a7b76271-44eb-4f89-9e58-eca59f5eac12"


@pytest.mark.parametrize(
    "given", [ID, f" {ID}\n", f"http://h:9311/v1/secrets/{ID}", f"https://h/key/v1/secrets/{ID}/"]
)
def test_an_id_or_an_address(given: str) -> None:
    assert barbican.id_of(given) == ID


@pytest.mark.parametrize(
    "given", ["", "x", ID[:-1], f"{ID}/payload", f"file:///v1/secrets/{ID}", f"../{ID}", ID * 2]
)
def test_anything_else_is_refused(given: str) -> None:
    with pytest.raises(errors.BadRequest) as caught:
        barbican.id_of(given)
    assert caught.value.code == "bad_secret"


def test_there_is_none_unless_configured() -> None:
    assert barbican.load(config.load()) is None
