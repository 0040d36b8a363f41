"""Large texts stand in the store; the row keeps a reference to them.

A reference is ``@`` and the digest: no JSON text begins with ``@``, so nobody can send one.
Made by whoever runs compositions; the database notes which executions refer to which digests,
so that the store's garbage collection keeps them.
"""

from __future__ import annotations

_MARK = "@"


def to(digest: str) -> str:
    """The text that stands for the stored one."""
    return _MARK + digest


def digest_of(text: str | None) -> str | None:
    """The digest, if the text is a reference."""
    return text[1:] if text is not None and text.startswith(_MARK) else None
