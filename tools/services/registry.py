"""A registry of container images: docker-registry of Debian, open or behind a login."""

from __future__ import annotations

import json
import ssl
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tools.services import process


class Server(process.Service):
    """Without TLS where there is no ``certificate`` (file with its key)."""

    name = "docker-registry"

    def __init__(
        self,
        folder: Path,
        *,
        images: Path | None = None,
        auth: Mapping[str, Any] | None = None,
        certificate: Path | None = None,
        host: str = process.HOST,
    ) -> None:
        """
        :param images: where it keeps them; several servers may show the same
        :param auth: the section of that name of its configuration; None: open to everybody
        """
        super().__init__(folder)
        self.images = images or folder / "images"
        #: As images name it.
        self.address = f"{host}:{process.free_port()}"
        self.url = f"{'https' if certificate else 'http'}://{self.address}"
        self._trusted = certificate
        http: dict[str, Any] = {"addr": self.address}
        if certificate:
            http["tls"] = {"certificate": str(certificate), "key": str(certificate)}
        options = {
            "version": "0.1",
            "storage": {"filesystem": {"rootdirectory": str(self.images)}},
            "http": http,
            **({"auth": dict(auth)} if auth else {}),
        }
        self._config = folder / "config.json"  # JSON is YAML
        self._config.write_text(json.dumps(options))

    def command(self) -> Sequence[str]:
        program = process.require("/usr/bin/docker-registry", "docker-registry")
        return [program, "serve", str(self._config)]

    def answers(self) -> bool:
        tls = ssl.create_default_context(cafile=self._trusted) if self._trusted else None
        try:
            with urllib.request.urlopen(f"{self.url}/v2/", timeout=5, context=tls) as answer:
                return bool(answer.status == 200)
        except urllib.error.HTTPError as exc:
            with exc:
                return exc.code == 401
