"""Our verification against the library's signatures, and against forged ones."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from funcflow_agent import ed25519

ORDER = 2**252 + 27742317777372353535851937790883648493


def signed(seed: int, message: bytes) -> tuple[bytes, bytes]:
    key = Ed25519PrivateKey.from_private_bytes(seed.to_bytes(32, "big"))
    return key.public_key().public_bytes_raw(), key.sign(message)


@pytest.mark.parametrize("seed", range(1, 12))
def test_good_signatures(seed: int) -> None:
    message = b"m" * seed
    key, signature = signed(seed, message)
    assert ed25519.verify(key, message, signature)
    assert not ed25519.verify(key, message + b"!", signature)
    assert not ed25519.verify(signed(seed + 1, message)[0], message, signature)


def test_the_first_vector_of_the_standard() -> None:
    key = bytes.fromhex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")
    signature = bytes.fromhex(
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bac"
        "c61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"
    )
    assert ed25519.verify(key, b"", signature)


def test_a_signature_has_one_form() -> None:
    key, signature = signed(1, b"message")
    scalar = int.from_bytes(signature[32:], "little") + ORDER
    assert not ed25519.verify(key, b"message", signature[:32] + scalar.to_bytes(32, "little"))


@pytest.mark.parametrize("length", [0, 31, 33])
def test_keys_of_a_wrong_length(length: int) -> None:
    _, signature = signed(1, b"")
    assert not ed25519.verify(b"k" * length, b"", signature)


@pytest.mark.parametrize("signature", [b"", b"\0" * 64, b"\xff" * 64, b"s" * 63, b"s" * 65])
def test_nonsense(signature: bytes) -> None:
    assert not ed25519.verify(signed(1, b"")[0], b"", signature)


@pytest.mark.parametrize("bit", range(0, 512, 37))
def test_every_bit_counts(bit: int) -> None:
    key, signature = signed(2, b"message")
    flipped = int.from_bytes(signature, "little") ^ (1 << bit)
    assert not ed25519.verify(key, b"message", flipped.to_bytes(64, "little"))
