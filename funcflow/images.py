"""Which container images functions may be made of. Used by :mod:`funcflow.origins`."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Sequence

from funcflow import errors

#: A name as registries have it: host and path, tag, digest.
_IMAGE = re.compile(
    r"[a-z0-9]+(?:[._-]+[a-z0-9]+)*(?::[0-9]+)?(?:/[a-z0-9]+(?:[._-]+[a-z0-9]+)*)*"
    r"(?::[\w][\w.-]{0,127})?(?:@sha256:[0-9a-f]{64})?",
    re.ASCII,
)


def check(image: object, allowed: Sequence[str]) -> None:
    """
    :param allowed: patterns of the images that the operator lets run
    :raises errors.BadRequest: it is no image's name, or images cannot be run here
    :raises errors.Forbidden: not this one
    """
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


def bad(message: str) -> errors.BadRequest:
    """The image, or what was sent beside it, makes no sense."""
    return errors.BadRequest(message, code="bad_image")
