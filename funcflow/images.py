"""Functions that are images: what may be said of one, and what is known of it.

Used by :mod:`.origins`; the sandboxes run them.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Mapping, Sequence
from typing import Any

from funcflow import errors

#: Of ``code``, what is wished.
WISHED = ("source", "image", "command")
#: And what the image's registry said: its digest and what it runs, or why that is not known.
FIELDS = (*WISHED, "digest", "entrypoint", "unresolved")

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
    if code.get("command") is not None and not is_command(code["command"]):
        raise errors.BadRequest(
            "code.command is not a program and its arguments",
            code="bad_image",
            hint='Give a list of 1 to 64 texts, such as ["python3", "/srv/app.py"].',
        )


def name(code: Mapping[str, Any]) -> str:
    """What nodes fetch: the very image that was there when the function was made, where that is
    known."""
    image, digest = str(code.get("image", "")), code.get("digest")
    if not digest:
        return image
    plain = image.partition("@")[0]
    start, slash, last = plain.rpartition("/")
    return f"{start}{slash}{last.partition(':')[0]}@{digest}"


def command(code: Mapping[str, Any]) -> tuple[str, ...]:
    """What runs in it; empty: nobody knows."""
    return tuple(code.get("command") or code.get("entrypoint") or ())


def is_command(command: object) -> bool:
    """Whether it is a program and its arguments, within bounds."""
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
