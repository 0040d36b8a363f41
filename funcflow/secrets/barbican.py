"""Secrets that Barbican keeps, read through castellan.

The API looks whether the asker may read what is referred to, with the asker's own token; the
conductor reads it, as the user that ``[key_manager]`` names and whom the secret's owner let read
it. Without the first anybody could name a secret that somebody else shared with that user.
"""

from __future__ import annotations

import logging
import re
from typing import Any

from oslo_config import cfg

from funcflow import errors, models

_ID = re.compile(r"(?:https?://[^\s]+/v1/secrets/)?([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})/?")
#: Answers below 500 after which it makes sense to ask again.
_PASSING = (408, 425, 429)


class NoBarbican(errors.BadRequest):
    code = "no_barbican"
    hint = "Send the value itself, or ask your operator for [secrets] barbican."


class Refused(errors.Forbidden):
    """Barbican does not give the secret out."""

    code = "barbican_refused"
    hint = "Check the id, and in Barbican who may read the secret."


def load(conf: cfg.ConfigOpts) -> Barbican | None:
    """The Barbican that is configured.

    :raises errors.ConfigError: castellan is not installed
    """
    return Barbican(conf) if conf.secrets.barbican else None


def id_of(reference: str) -> str:
    """The id in an id or address, as Barbican shows it.

    :raises errors.BadRequest: it is neither
    """
    found = _ID.fullmatch(reference.strip())
    if found is None:
        raise errors.BadRequest(
            "barbican is the id or address of a secret, as `openstack secret list` shows it",
            code="bad_secret",
        )
    return found.group(1)


class Barbican:
    """Thread-safe."""

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        try:
            from castellan import key_manager
            from castellan.common import utils

            from funcflow.secrets import asker
        except ImportError as exc:
            raise errors.ConfigError(
                "castellan is missing", hint="pip install 'funcflow[barbican]'"
            ) from exc
        # Its log has the bodies of answers at DEBUG, which here are secrets.
        logging.getLogger("keystoneauth").setLevel(logging.INFO)
        self._conf = conf
        self._api: Any = key_manager.API(conf)
        self._login = utils.credential_factory
        self._as_asker = asker.Context

    def check(self, reference: str, asker: models.RequestContext) -> None:
        """Whether the asker may read a secret.

        :raises errors.BadRequest: it is no reference
        :raises Refused: no, or there is none
        :raises errors.Unavailable: nobody can say
        """
        secret_id = id_of(reference)
        if asker.auth_token is None:
            raise NoBarbican("secrets can be references only for who is logged in at Keystone")
        context = self._as_asker(asker.auth_token, self._login(conf=self._conf))
        # Barbican shows what a secret is like to whom it does not show the secret.
        try:
            self._get(context, secret_id)
        except errors.Unavailable:
            if context.refused:
                raise Refused(f"Barbican does not let your token read secret {secret_id}") from None
            raise

    def read(self, secret_id: str) -> str:
        """A secret's text.

        :raises Refused: it is not there, not for us, or no text
        :raises errors.Unavailable: Barbican or Keystone is away
        """
        data = self._get(self._login(conf=self._conf), secret_id)
        try:
            return data if isinstance(data, str) else bytes(data).decode()
        except UnicodeDecodeError:
            raise Refused(f"secret {secret_id} in Barbican is no text") from None

    def _get(self, context: Any, secret_id: str) -> Any:
        try:
            return self._api.get(context, secret_id).get_encoded()
        except Exception as exc:
            raise _meaning(exc, secret_id) from None


def _meaning(exc: Exception, secret_id: str) -> errors.FuncflowError:
    """What an error of castellan means; it hides Barbican's own behind it."""
    reason: BaseException | None = exc
    while reason is not None:
        status = getattr(reason, "status_code", None) or getattr(reason, "http_status", None)
        if isinstance(status, int) and 400 <= status < 500 and status not in _PASSING:
            return Refused(f"Barbican does not give out secret {secret_id} ({status})")
        reason = reason.__cause__ or reason.__context__
    if type(exc).__name__ == "ManagedObjectNotFoundError":
        return Refused(f"there is no secret {secret_id} in Barbican")
    return errors.Unavailable(f"Barbican is away: {type(exc).__name__}", retry_after=2.0)
