"""Texts in the store, and references to them."""

from __future__ import annotations

import json

import pytest

from funcflow import conf, errors, offload, references
from funcflow.stores.memory import MemoryStore

LIMIT = 100


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore(conf.load())


@pytest.fixture
def texts(store: MemoryStore) -> offload.Offload:
    return offload.Offload(store, LIMIT)


@pytest.mark.parametrize("text", ["", "x" * LIMIT, "é" * (LIMIT // 2), '{"ref": "a"}'])
def test_small_ones_stay(texts: offload.Offload, store: MemoryStore, text: str) -> None:
    assert texts.out(text) == text
    assert texts.back(text) == text
    assert list(store.digests()) == []


@pytest.mark.parametrize("text", ["x" * (LIMIT + 1), "é" * LIMIT, "\ud800" * LIMIT])
def test_large_ones_are_referred_to(texts: offload.Offload, store: MemoryStore, text: str) -> None:
    kept = texts.out(text)
    assert references.digest_of(kept) in set(store.digests())
    assert texts.back(kept) == text
    assert texts.out(text) != kept, "each time anew"


def test_nobody_can_send_a_reference(texts: offload.Offload) -> None:
    """It is no JSON, which is all that is taken from outside."""
    with pytest.raises(ValueError, match="Expecting value"):
        json.loads(texts.out("x" * (LIMIT + 1)))


def test_what_the_store_lost(texts: offload.Offload, store: MemoryStore) -> None:
    kept = texts.out("x" * (LIMIT + 1))
    for digest in list(store.digests()):
        store.delete(digest)
    with pytest.raises(errors.NotFound):
        texts.back(kept)
