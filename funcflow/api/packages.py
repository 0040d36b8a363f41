"""Packages on their way out: the stored zip, byte for byte."""

from __future__ import annotations

from typing import BinaryIO

import webob

from funcflow import errors, models
from funcflow.api import reply
from funcflow.stores import base as store_base

ZIP = "application/zip"
_CHUNK = 64 * 1024


class NoPackage(errors.FuncflowError):
    """Qinling answers 405 for functions that have none."""

    code, status = "no_package", 405
    hint = "Only functions made from a package or source can be downloaded."


class _Chunks:
    """The file in pieces; closes it, also when the client leaves."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def __iter__(self) -> _Chunks:
        return self

    def __next__(self) -> bytes:
        chunk = self._file.read(_CHUNK)
        if not chunk:
            raise StopIteration
        return chunk

    def close(self) -> None:
        self._file.close()


def download(store: store_base.Store, revision: models.Revision, name: str) -> webob.Response:
    """The package of a revision as an attachment.

    :raises NoPackage: it has none
    """
    if revision.digest is None:
        raise NoPackage("Download image function is not allowed.")
    file = store.open(revision.digest)
    size = file.seek(0, 2)
    file.seek(0)
    headers = {
        "Content-Disposition": f'attachment; filename="{name}.zip"',
        "Content-Length": str(size),
    }
    return reply.stream(_Chunks(file), ZIP, headers)
