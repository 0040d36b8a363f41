"""Secrets of others that must be kept for a while: only this installation can read them.

Used for the tokens of callbacks. What is sealed is neither readable nor changeable without the
installation's secret; a purpose of its own keeps one use from being taken for another.
"""

from __future__ import annotations

import base64
import hashlib
import hmac

from funcflow import errors


def seal(text: str, secret: str, purpose: str) -> str:
    """The text, sealed; ASCII."""
    from cryptography import fernet

    return fernet.Fernet(_key(secret, purpose)).encrypt(text.encode()).decode()


def opened(sealed: str, secret: str, purpose: str) -> str:
    """What was sealed.

    :raises funcflow.errors.ConfigError: with another secret, or it was changed
    """
    from cryptography import fernet

    try:
        return fernet.Fernet(_key(secret, purpose)).decrypt(sealed).decode()
    except fernet.InvalidToken as exc:
        raise errors.ConfigError(
            f"what is kept for {purpose} was sealed with another secret",
            hint="[DEFAULT] secret must be the same in all processes, for as long as work is open.",
        ) from exc


def _key(secret: str, purpose: str) -> bytes:
    digest = hmac.digest(secret.encode(), purpose.encode(), hashlib.sha256)
    return base64.urlsafe_b64encode(digest)
