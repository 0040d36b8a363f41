"""The API as its tests call it: every answer is checked against the server's own document."""

from __future__ import annotations

import dataclasses
import http.client
import io
import json
import re
import urllib.parse
import zipfile
from collections.abc import Mapping
from typing import Any

import jsonschema_rs

_BOUNDARY = "tests-boundary-7f3a"


@dataclasses.dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def code(self) -> str:
        """The stable code of an error."""
        return str(self.json["error"]["code"])

    @property
    def fault(self) -> str:
        return str(self.json["faultstring"])


class Api:
    """Calls, and checks that status, content type and body are as documented."""

    def __init__(self, url: str) -> None:
        self.url = url
        parts = urllib.parse.urlsplit(url)
        self._address = (parts.hostname or "", parts.port or 80)
        self._document: dict[str, Any] = self._send("GET", "/v1/openapi.json", None, {}).json
        self._checkers: dict[tuple[str, str, int], Any] = {}
        self._paths = [
            (re.compile(re.sub(r"\{\w+\}", "[^/]+", path)), path)
            for path in self._document["paths"]
        ]

    def __call__(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        headers: Mapping[str, str] | None = None,
        content_type: str = "application/json",
    ) -> Answer:
        sent = dict(headers or {})
        raw: bytes | None = None
        if body is not None:
            raw = body if isinstance(body, bytes) else json.dumps(body).encode()
            sent.setdefault("Content-Type", content_type)
        answer = self._send(method, path, raw, sent)
        self._check(method, path, answer)
        return answer

    def upload(
        self, method: str, path: str, package: bytes | None = None, **fields: object
    ) -> Answer:
        """A multipart form with text fields and the file ``package``."""
        return self(
            method, path, form(package, **fields),
            content_type=f"multipart/form-data; boundary={_BOUNDARY}",
        )  # fmt: skip

    def function(self, source: str, runtime: str = "python3", **fields: Any) -> dict[str, Any]:
        """Deploy source text."""
        body = {"runtime": runtime, "source": source, **fields}
        answer = self("POST", "/v1/functions", body)
        assert answer.status == 201, answer.body
        made: dict[str, Any] = answer.json
        return made

    def run(self, function_id: str, value: Any = None, **fields: Any) -> dict[str, Any]:
        """Run synchronously to the end."""
        body = {"function_id": function_id, "input": value, **fields}
        answer = self("POST", "/v1/executions", body)
        assert answer.status == 201, answer.body
        ran: dict[str, Any] = answer.json
        return ran

    def _send(
        self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]
    ) -> Answer:
        connection = http.client.HTTPConnection(*self._address, timeout=60)
        try:
            connection.request(method, path, body, dict(headers))
            response = connection.getresponse()
            return Answer(response.status, dict(response.getheaders()), response.read())
        finally:
            connection.close()

    def _check(self, method: str, path: str, answer: Answer) -> None:
        plain = path.partition("?")[0].rstrip("/") or "/"
        template = next((t for pattern, t in self._paths if pattern.fullmatch(plain)), None)
        if template is None or method == "HEAD":
            return
        operation = self._document["paths"][template].get(method.lower())
        if operation is None:
            assert answer.status in (405, 403), (method, path, answer)
            return
        documented = operation["responses"].get(str(answer.status))
        assert documented is not None, f"{method} {template}: {answer.status} is not documented"
        content = documented.get("content")
        if content is None:
            assert answer.body == b"", (method, template, answer)
            return
        kind = answer.headers["Content-Type"].partition(";")[0]
        assert kind in content, f"{method} {template}: {kind} is not documented"
        if kind == "application/json":
            self._checker(template, method, answer.status, content[kind]["schema"]).validate(
                answer.json
            )

    def _checker(self, template: str, method: str, status: int, schema: Any) -> Any:
        key = (template, method, status)
        if key not in self._checkers:
            whole = {**schema, "components": self._document["components"]}
            self._checkers[key] = jsonschema_rs.Draft202012Validator(whole)
        return self._checkers[key]


def form(package: bytes | None = None, **fields: object) -> bytes:
    """A multipart body; its boundary is what ``Api.upload`` says."""
    start = f"--{_BOUNDARY}\r\nContent-Disposition: form-data; name="
    parts = [f'{start}"{name}"\r\n\r\n{value}\r\n'.encode() for name, value in fields.items()]
    if package is not None:
        head = f'{start}"package"; filename="p.zip"\r\nContent-Type: application/zip\r\n\r\n'
        parts.append(head.encode() + package + b"\r\n")
    return b"".join(parts) + f"--{_BOUNDARY}--\r\n".encode()


def zipped(**files: str) -> bytes:
    """A package; ``main_py="…"`` is the file ``main.py``. Equal files give equal bytes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            info = zipfile.ZipInfo(name.replace("_", "."), (1980, 1, 1, 0, 0, 0))
            archive.writestr(info, text, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()
