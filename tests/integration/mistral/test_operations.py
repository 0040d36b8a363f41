"""The actions made from the API's description are those of the API as it is."""

from __future__ import annotations

import json
import urllib.request

from funcflow.cmd import up
from tools import mistral_operations


def test_the_table_is_up_to_date(server: up.Server) -> None:
    """Else: ``python -m tools.mistral_operations``."""
    with urllib.request.urlopen(f"{server.url}/v1/openapi.json") as answer:
        document = json.load(answer)
    assert mistral_operations.TABLE.read_text() == mistral_operations.render(document)
