"""Everything that is known to be counted is counted by a real server."""

from __future__ import annotations

import re

from funcflow.cli import client, transport
from funcflow.cmd import up
from funcflow.conductor import metrics


def test_an_embedded_server_shows_its_conductor(server: up.Server) -> None:
    api = client.Client(transport.DirectTransport(server.url))
    with api.send("GET", "/metrics") as answer:
        text = b"".join(answer.chunks()).decode()

    shown = set(re.findall(r"^(funcflow_conductor_\w+) ", text, re.MULTILINE))

    assert shown == set(metrics.KNOWN) - set(metrics.KUBERNETES)
