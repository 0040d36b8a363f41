"""What functions get of the secrets of their project: the rules.

Used by :mod:`funcflow.deploy` and the API's controller of functions.
"""

from __future__ import annotations

import json
import re
from typing import Any

from funcflow import errors, models
from funcflow.db import secrets

#: Bytes of a function's configuration as JSON.
MAX_CONFIGURATION = 65_536
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
#: Variables that say how the platform runs the function.
_RESERVED = re.compile(r"PATH|HOME|TMPDIR|LD_.*|PYTHON.*|NODE_.*|FUNCFLOW_.*")


def mount(
    secret: str, mount: models.SecretPlace = "environment", name: str | None = None
) -> models.SecretMount:
    """A mount as it was asked for, with the default name.

    :raises errors.BadRequest: it cannot have that name there
    """
    if name is None:
        name = re.sub(r"[^A-Za-z0-9_]", "_", secret).upper() if mount == "environment" else secret
    if mount == "environment" and not _VARIABLE.fullmatch(name):
        raise _bad(f"{name!r} is no name of a variable")
    if mount == "environment" and _RESERVED.fullmatch(name):
        raise _bad(f"the variable {name} cannot be a secret")
    return models.SecretMount(secret=secret, mount=mount, name=name)


def check(
    connection: Any, asker: models.RequestContext, revision: models.Revision, *, wished: bool
) -> None:
    """Whether the revision may be like that.

    :param wished: its secrets were named now
    :raises errors.BadRequest: something is named twice, or cannot be had there
    :raises errors.NotFound: the project has no such secret
    :raises errors.Forbidden: the secrets are another project's to give
    """
    if len(json.dumps(dict(revision.configuration))) > MAX_CONFIGURATION:
        raise errors.BadRequest(
            f"the configuration has more than {MAX_CONFIGURATION} bytes", code="invalid_field"
        )
    places = [(mount.mount, mount.name) for mount in revision.secrets]
    taken = {("environment", name) for name in revision.environment}
    for place in places:
        if place in taken:
            raise _bad(f"{place[1]!r} is named twice in the {place[0]}")
        taken.add(place)
    if revision.digest is None and any(place == "environment" for place, _ in places):
        raise errors.BadRequest(
            "the environment of an image is written where a cluster keeps it for all to read",
            hint="Mount the secrets as metadata.",
            code="bad_mount",
        )
    if wished and revision.secrets:
        # Who may publish another project's code may not hand out more of its secrets.
        if asker.project_id != revision.project_id and not asker.is_admin:
            raise errors.Forbidden("only the function's own project may give it secrets")
        names = {mount.secret for mount in revision.secrets}
        missing = names - secrets.named(connection, revision.project_id, names).keys()
        if missing:
            raise errors.NotFound(
                f"there is no secret {min(missing)!r}",
                hint="Keep it first: `funcflow secret create` or POST /v1/secrets.",
            )


def _bad(message: str) -> errors.BadRequest:
    return errors.BadRequest(message, code="bad_mount")
