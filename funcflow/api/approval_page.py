"""The page on which a person says yes or no. Called by the controller of approvals.

Plain HTML without scripts. All that is shown comes from strangers, so all of it is escaped, and
the page may load nothing and be embedded nowhere. Its address is the right to decide: it is
sent to no other site as a referrer, and kept in no cache.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
from collections.abc import Mapping
from typing import Any, Final

from funcflow.approvals import COMMENT, Question
from funcflow.compositions.events import timestamp

_STYLE: Final = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 42rem; margin: 3rem auto; padding: 0 1rem;
       color: #1c2733; background: #fff; }
h1 { font-size: 1.4rem; margin-bottom: .25rem; }
p.about { color: #5b6b7c; margin-top: 0; }
pre { background: #f3f5f7; border-radius: 6px; padding: 1rem; overflow: auto; max-height: 24rem;
      white-space: pre-wrap; overflow-wrap: anywhere; }
textarea { width: 100%; box-sizing: border-box; font: inherit; padding: .5rem; }
button { font: inherit; padding: .5rem 1.5rem; border: 0; border-radius: 6px; color: #fff;
         cursor: pointer; margin: .75rem .75rem 0 0; }
button.yes { background: #1b7f4b; }
button.no { background: #b3372e; }
@media (prefers-color-scheme: dark) {
  body { color: #dde4ea; background: #14191f; }
  pre { background: #1f262e; }
  p.about { color: #93a3b3; }
}
"""
_HASH: Final = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()

HEADERS: Final[Mapping[str, str]] = {
    "Content-Type": "text/html; charset=UTF-8",
    "Content-Security-Policy": "default-src 'none'; form-action 'self'; frame-ancestors 'none'; "
    f"base-uri 'none'; style-src 'sha256-{_HASH}'",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cache-Control": "no-store",
}


def question(asked: Question, composition: str) -> str:
    """The page that asks; ``composition`` is its name."""
    message, details = _parts(asked.request)
    due = "" if asked.due_at is None else f" Until {_time(asked.due_at)}."
    shown = "" if details is None else f"<pre>{_escaped(_json(details))}</pre>"
    return _page(
        message or "Do you approve?",
        f"Composition {composition}, execution {asked.execution.name}, state {asked.state}. "
        f"Asked {_time(asked.asked_at)}.{due}",
        f"""{shown}
<form method="post">
<label for="comment">Comment</label>
<textarea id="comment" name="comment" rows="3" maxlength="{COMMENT}"></textarea>
<button class="yes" name="decision" value="approve">Approve</button>
<button class="no" name="decision" value="reject">Reject</button>
</form>""",
    )


def decided(*, approved: bool) -> str:
    """The page after a decision."""
    return _page("Approved" if approved else "Rejected", "Thank you. You may close this page.")


def over(message: str) -> str:
    """The page of a link that leads nowhere (any more)."""
    return _page("There is nothing to decide", f"{message[:1].upper()}{message[1:]}.")


def _parts(request: Any) -> tuple[str, Any]:
    """What is asked in words, and what else there is to see."""
    if isinstance(request, str):
        return request, None
    if isinstance(request, dict) and isinstance(message := request.get("Message"), str):
        rest = {name: value for name, value in request.items() if name != "Message"}
        return message, rest or None
    return "", request


def _page(title: str, about: str, body: str = "") -> str:
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>{_escaped(title[:80])}</title>
<style>{_STYLE}</style>
</head>
<body>
<h1>{_escaped(title)}</h1>
<p class="about">{_escaped(about)}</p>
{body}
</body>
</html>
"""


def _time(seconds: float) -> str:
    return timestamp(seconds)[:19].replace("T", " ") + " UTC"


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2)


def _escaped(text: str) -> str:
    # Lone surrogates cannot be sent.
    return html.escape(text.encode(errors="replace").decode())
