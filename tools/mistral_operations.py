"""Writes ``mistral_actions/operations.json``: the REST operations that are actions of Mistral.

``python -m tools.mistral_operations`` makes it from the OpenAPI document of a server it starts;
``tests/integration/mistral/test_operations.py`` fails while it is out of date.
"""

from __future__ import annotations

import json
import re
import tempfile
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from funcflow.cmd import up

TABLE = Path(__file__).resolve().parent.parent / "mistral_actions/operations.json"
#: What a workflow has no use for.
_LEFT_OUT = re.compile(r"^(?:discovery|health|metrics|openapi|versions\.root)\b")
_JSON = ("application/json", "application/merge-patch+json")


def table(document: dict[str, Any]) -> list[dict[str, Any]]:
    """One entry an operation, by name: ``path`` is a template, ``query`` and ``body`` are names,
    ``required`` are those without which it cannot be asked."""
    found = [
        _entry(path, method, operation, item.get("parameters", []))
        for path, item in document["paths"].items()
        for method, operation in item.items()
        if method != "parameters" and _fits(path, operation)
    ]
    return sorted(found, key=lambda entry: str(entry["name"]))


def render(document: dict[str, Any]) -> str:
    """The file's text."""
    lines = ",\n".join(json.dumps(entry, ensure_ascii=False) for entry in table(document))
    return f"[\n{lines}\n]\n"


def _fits(path: str, operation: dict[str, Any]) -> bool:
    if not path.startswith("/v1/") or _LEFT_OUT.match(operation["operationId"]):
        return False
    if operation.get("security") == []:
        return False
    body = operation.get("requestBody", {}).get("content", {})
    good = [answer for code, answer in operation["responses"].items() if code.startswith("2")]
    kinds = {kind for answer in good for kind in answer.get("content", {})}
    readable = not kinds or bool(kinds & {"application/json", "text/plain"})
    return readable and (not body or any(kind in body for kind in _JSON))


def _entry(
    path: str, method: str, operation: dict[str, Any], shared: list[dict[str, Any]]
) -> dict[str, Any]:
    parameters = [*shared, *operation.get("parameters", [])]
    inside = [p["name"] for p in parameters if p["in"] == "path"]
    query = [p["name"] for p in parameters if p["in"] == "query"]
    content = operation.get("requestBody", {}).get("content", {})
    schema: dict[str, Any] = next(
        (content[kind]["schema"] for kind in _JSON if kind in content), {}
    )
    body = [name for name in schema.get("properties", {}) if name not in inside]
    return {
        "name": operation["operationId"].replace(".", "_").replace("-", "_"),
        "summary": operation["summary"],
        "method": method.upper(),
        "path": path,
        "query": [name for name in query if name not in body],
        "body": sorted(body),
        "required": [*inside, *(n for n in schema.get("required", []) if n not in inside)],
    }


def documents() -> Iterator[dict[str, Any]]:
    """The document, from a server of its own."""
    with tempfile.TemporaryDirectory() as folder:
        server = up.Server(up.load(up.Options(port=0, data_dir=folder)))
        try:
            with urllib.request.urlopen(f"{server.url}/v1/openapi.json") as answer:
                yield json.load(answer)
        finally:
            server.stop()


if __name__ == "__main__":
    for document in documents():
        TABLE.write_text(render(document))
        print(f"wrote {TABLE}")
