"""Functions that are images: what may be said of one.

Used by :mod:`.origins`; the sandboxes run them.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Mapping, Sequence
from typing import Any

from funcflow import errors

#: Of ``code``, as far as it is kept.
FIELDS = ("source", "image", "command")

#: A name as registries have it: host and path, tag, digest.
_IMAGE = re.compile(
    r"[a-z0-9]+(?:[._-]+[a-z0-9]+)*(?::[0-9]+)?(?:/[a-z0-9]+(?:[._-]+[a-z0-9]+)*)*"
    r"(?::[\w][\w.-]{0,127})?(?:@sha256:[0-9a-f]{64})?",
    re.ASCII,
)
_MOST_WORDS, _LONGEST_WORD = 64, 4096


def check(code: Mapping[str, Any], allowed: Sequence[str]) -> None:
    """Only images that the operator lets run.

    :param allowed: patterns of names; none: no images at all
    :raises errors.BadRequest: it is none, or no command
    :raises errors.Forbidden: others are
    """
    image = code.get("image")
    if not allowed:
        raise errors.BadRequest(
            "functions from image cannot be run here",
            code="unsupported_code_source",
            hint="Send the code as a package.",
        )
    if not isinstance(image, str) or len(image) > 255 or not _IMAGE.fullmatch(image):
        raise bad("code.image is not the name of an image")
    if not any(fnmatch.fnmatchcase(image, pattern) for pattern in allowed):
        raise errors.Forbidden(
            f"functions may not be made of the image {image}",
            code="image_refused",
            hint=f"Images that may be used: {', '.join(allowed)}",
        )
    if not _is_command(code.get("command")):
        raise errors.BadRequest(
            "code.command is not a program and its arguments",
            code="bad_image",
            hint='Give a list of 1 to 64 texts, such as ["python3", "/srv/app.py"].',
        )


def _is_command(command: Any) -> bool:
    """None is: that of the image."""
    if command is None:
        return True
    return (
        isinstance(command, list)
        and 0 < len(command) <= _MOST_WORDS
        and all(isinstance(word, str) and _is_word(word) for word in command)
        and bool(command[0])
    )


def _is_word(word: str) -> bool:
    return len(word) <= _LONGEST_WORD and "\0" not in word


def bad(message: str) -> errors.BadRequest:
    """The image, or what was sent beside it, makes no sense."""
    return errors.BadRequest(message, code="bad_image")
