"""Secrets of triggers and subscriptions, and signatures made with them.

A secret is derived from the installation's and a salt in the row, so that the database
has nothing that forges a signature; a new salt makes a new secret. Signatures are those of
`Standard Webhooks <https://www.standardwebhooks.com>`_: the id, the time and the body.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections.abc import Mapping
from typing import Final

from oslo_config import cfg

from funcflow import conf as config
from funcflow.events import Trigger
from funcflow.subscriptions import Subscription
from funcflow.triggers.base import BadSignature

#: How a secret begins when it is shown.
PREFIX: Final = "whsec_"
ID: Final = "webhook-id"
TIMESTAMP: Final = "webhook-timestamp"
SIGNATURE: Final = "webhook-signature"
#: The header of GitHub, GitLab's successors and many others: the body alone is signed.
GITHUB: Final = "x-hub-signature-256"
#: Signatures that one request may have, as while a secret is changed.
_MOST: Final = 8


def new_salt() -> str:
    return secrets.token_urlsafe(24)


def secret_of(conf: cfg.ConfigOpts, trigger: Trigger) -> bytes:
    """The trigger's secret."""
    return _derived(conf, f"webhook {trigger.id} {trigger.salt}")


def subscription_secret(conf: cfg.ConfigOpts, subscription: Subscription) -> bytes:
    """What a subscription's requests are signed with."""
    return _derived(conf, f"subscription {subscription.id} {subscription.salt}")


def _derived(conf: cfg.ConfigOpts, said: str) -> bytes:
    return hmac.new(config.secret(conf).encode(), said.encode(), hashlib.sha256).digest()


def shown(secret: bytes) -> str:
    """As its user gets it; the key of GitHub's signature is this very text."""
    return PREFIX + base64.b64encode(secret).decode()


def key_of(secret: bytes) -> str:
    """What the address of a trigger has whose senders cannot sign."""
    return base64.urlsafe_b64encode(secret).decode().rstrip("=")


def verify_key(secret: bytes, key: str) -> None:
    """
    :raises BadSignature: it is not the key of this secret
    """
    if not hmac.compare_digest(key.encode("utf-8", "replace"), key_of(secret).encode()):
        raise BadSignature(
            "the address lacks the trigger's key, or has another one",
            hint="Use the url that was shown when the trigger was made, or renew its secret.",
        )


def sign(secret: bytes, message_id: str, at: int, body: bytes) -> str:
    """The value of the header ``webhook-signature``."""
    signed = f"{message_id}.{at}.".encode() + body
    digest = hmac.new(secret, signed, hashlib.sha256).digest()
    return f"v1,{base64.b64encode(digest).decode()}"


def verify(
    secret: bytes, headers: Mapping[str, str], body: bytes, now: float, tolerance: float
) -> str:
    """The id of the message that is signed.

    :raises BadSignature: it is not, not with this secret, or not now
    """
    message_id, told = headers.get(ID, ""), headers.get(TIMESTAMP, "")
    if not 1 <= len(message_id) <= 256 or not told.isascii() or not told.isdecimal():
        raise BadSignature(f"the headers {ID}, {TIMESTAMP} and {SIGNATURE} are needed")
    if len(told) > 12 or abs(now - int(told)) > tolerance:
        raise BadSignature("the signature's time is not now", hint="Set the sender's clock.")
    try:
        wanted = sign(secret, message_id, int(told), body)
    except UnicodeEncodeError:
        raise BadSignature(f"the header {ID} is no proper text") from None
    _check(headers.get(SIGNATURE, "").split(" ")[:_MOST], wanted)
    return message_id


def verify_github(secret: bytes, headers: Mapping[str, str], body: bytes) -> None:
    """
    :raises BadSignature: the body is not signed with this secret
    """
    digest = hmac.new(shown(secret).encode(), body, hashlib.sha256).hexdigest()
    _check([headers.get(GITHUB, "")], f"sha256={digest}")


def _check(given: list[str], wanted: str) -> None:
    good = False
    for each in given:
        good |= hmac.compare_digest(each.encode("utf-8", "replace"), wanted.encode())
    if not good:
        raise BadSignature("the signature is not that of the trigger's secret")
