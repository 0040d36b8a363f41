"""Names and passwords of registries, from the file that ``docker login`` writes and that secrets
of the type ``kubernetes.io/dockerconfigjson`` hold. Used by :mod:`.lookup`."""

from __future__ import annotations

import base64
import json
from pathlib import Path

from funcflow import errors

#: The hub is known by another name there.
_ALIASES = {"docker.io": ("https://index.docker.io/v1/", "index.docker.io")}


def of(file: str | None, registry: str) -> str | None:
    """``name:password`` in base64, as HTTP's Basic has it; None: nobody gave any.

    :raises errors.ConfigError: the file cannot be read
    """
    if file is None:
        return None
    try:
        known = json.loads(Path(file).read_text()).get("auths", {})
        entries = [known[key] for key in _keys(registry) if key in known]
        found = _basic(entries[0]) if entries else None
    except (OSError, ValueError, AttributeError, TypeError) as exc:
        # The exception may hold a part of the file, and so of a password.
        raise errors.ConfigError(
            f"[registries] credentials: {file} cannot be read ({type(exc).__name__})",
            hint='It is JSON as docker login writes it: {"auths": {"HOST": {"auth": …}}}.',
        ) from None
    return found


def _keys(registry: str) -> tuple[str, ...]:
    return (registry, f"https://{registry}", *_ALIASES.get(registry, ()))


def _basic(entry: dict[str, str]) -> str | None:
    if auth := entry.get("auth"):
        base64.b64decode(auth, validate=True)
        return auth
    if "username" in entry:
        return base64.b64encode(f"{entry['username']}:{entry['password']}".encode()).decode()
    return None
