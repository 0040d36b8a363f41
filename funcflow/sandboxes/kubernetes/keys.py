"""How conductors prove themselves to pods: one key pair per installation.

Used by :mod:`.link` (signs) and by the driver (gives pods the public half). A pod holds nothing
with which it could prove anything to anybody.
"""

from __future__ import annotations

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.kdf import hkdf


class Keys:
    """The pair that follows from the installation's secret."""

    def __init__(self, secret: str) -> None:
        derive = hkdf.HKDF(hashes.SHA256(), 32, salt=None, info=b"funcflow pods, version 1")
        self._private = ed25519.Ed25519PrivateKey.from_private_bytes(derive.derive(secret.encode()))
        #: In hexadecimal, as the agent takes it.
        self.public = self._private.public_key().public_bytes_raw().hex()

    def proof(self, pod: str, nonce: str) -> str:
        """The signature that lets us into the pod of that uid, in hexadecimal."""
        return self._private.sign(f"funcflow-pod-1\n{pod}\n{nonce}".encode("ascii")).hex()
