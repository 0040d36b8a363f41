"""Objects of people, read with their own token: where functions' code may be.

Used when a function is deployed. The token is the request's and is kept nowhere.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from typing import Any, BinaryIO, cast

from oslo_config import cfg

from funcflow import errors, models
from funcflow.swift import faults
from funcflow.swift.account import Account, Patience
from funcflow.swift.reader import Reader
from funcflow.swift.service import Service

_IN_MEMORY = 256 * 1024
_PIECE = 64 * 1024


class Objects:
    """Any thread may call."""

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        """
        :raises errors.ConfigError: ``[swift]`` is wrong
        """
        self._service = Service(conf)
        self._patience = Patience.of(conf)

    def fetch(
        self, asker: models.RequestContext, wanted: Mapping[str, Any], limit: int
    ) -> tuple[BinaryIO, dict[str, str]]:
        """The object's bytes, at their beginning, and what they are by, with ``etag``.

        :param wanted: {container, object}; with ``etag``, the object must still have that one
        :param limit: bytes that it may have
        :raises errors.BadRequest: there is no such object, or the names cannot be
        :raises errors.Forbidden: Swift does not let the asker read it
        :raises errors.Conflict: its ETag is another one
        :raises errors.TooLarge: over the limit
        :raises errors.Unavailable: Swift or Keystone is away
        """
        container, name = _name(wanted, "container"), _name(wanted, "object")
        if asker.auth_token is None or not asker.project_id:
            raise unsupported("without a token of a project")
        login = self._service.of_token(asker.auth_token, asker.project_id)
        account = Account(login, self._patience)
        file = cast(BinaryIO, tempfile.SpooledTemporaryFile(_IN_MEMORY))  # noqa: SIM115
        try:
            with Reader(account, container, name) as reader:
                etag = reader.etag.strip('"')
                if str(wanted.get("etag") or etag).strip('"') != etag:
                    raise faults.Changed(f"object {container}/{name} has the ETag {etag}")
                _copy(reader, file, limit)
            file.seek(0)
        except faults.Missing as exc:
            file.close()
            # NOTE: a bad request, not 404: what is missing is no resource of ours.
            raise errors.BadRequest(
                exc.message,
                code="object_not_found",
                hint="Upload the package to Swift first; check project, container and object.",
            ) from None
        except BaseException:
            file.close()
            raise
        finally:
            account.close()
        return file, {"container": container, "object": name, "etag": etag}


def unsupported(why: str) -> errors.BadRequest:
    return errors.BadRequest(
        f"functions from swift cannot be had {why}",
        code="unsupported_code_source",
        hint="Send the code as a package.",
    )


def _copy(reader: Reader, file: BinaryIO, limit: int) -> None:
    size = reader.size or 0
    while size <= limit and (piece := reader.read(_PIECE)):
        size = max(size, file.tell() + len(piece))
        file.write(piece)
    if size > limit:
        raise errors.TooLarge(f"the package has more than {limit} bytes")


def _name(wanted: Mapping[str, Any], field: str) -> str:
    value = wanted.get(field)
    if not isinstance(value, str) or not 0 < len(value.encode(errors="replace")) <= 1024:
        raise errors.BadRequest(
            "code.swift must name container and object",
            code="bad_object",
            hint='Such as {"source": "swift", "swift": {"container": "code", "object": "f.zip"}}.',
        )
    return value
