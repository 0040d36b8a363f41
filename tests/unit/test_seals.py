"""What is sealed is read with the same secret, for the same purpose, and no other way."""

from __future__ import annotations

import pytest

from funcflow import errors, seals


def test_it_comes_back() -> None:
    sealed = seals.seal("täken", "secret", "callbacks")
    assert sealed.isascii()
    assert seals.opened(sealed, "secret", "callbacks") == "täken"


@pytest.mark.parametrize(
    ("secret", "purpose"), [("another", "callbacks"), ("secret", "something else")]
)
def test_nobody_else_reads_it(secret: str, purpose: str) -> None:
    sealed = seals.seal("token", "secret", "callbacks")
    with pytest.raises(errors.ConfigError) as caught:
        seals.opened(sealed, secret, purpose)
    assert "secret" in caught.value.hint


def test_it_cannot_be_changed() -> None:
    sealed = seals.seal("token", "secret", "callbacks")
    with pytest.raises(errors.ConfigError):
        seals.opened(sealed[:-6] + "AAAAA=", "secret", "callbacks")
