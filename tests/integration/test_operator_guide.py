"""The spread-out installation of the operator guide, as it is written there."""

from __future__ import annotations

import configparser
import re
import subprocess
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from funcflow.cli import client, faults, transport
from tests.waiting import until
from tools.services import process

GUIDE = Path(__file__).parents[2] / "doc/operator.md"


class Program(process.Service):
    """One of our programs, started by its name."""

    death_signal = "TERM"

    def __init__(self, folder: Path, *command: str) -> None:
        super().__init__(folder)
        self.name = command[0]
        self._command = command

    def command(self) -> Sequence[str]:
        return self._command

    def answers(self) -> bool:
        return True  # Whether it works is asked of the API.


@pytest.fixture
def configured(data_dir: Path, zookeeper: str, postgres_url: str) -> Path:
    """The guide's configuration, with this machine's addresses in it."""
    (written,) = re.findall(r"^```ini\n(.*?)^```", GUIDE.read_text(), re.MULTILINE | re.DOTALL)
    config = configparser.RawConfigParser()
    config.read_string(written)
    config["DEFAULT"]["secret"] = "only this test knows"
    config["database"]["url"] = postgres_url
    config["store"]["path"] = str(data_dir / "packages")
    config["jobboard"]["hosts"] = zookeeper
    config["jobboard"]["path"] = f"/{data_dir.name}"
    config["conductor"]["host"] = "127.0.0.1"
    # What the guide leaves as it is, but two installations cannot share.
    config["DEFAULT"]["data_dir"] = str(data_dir)
    config["conductor"]["metrics_port"] = str(process.free_port())
    config["api"] = {"port": str(process.free_port())}
    path = data_dir / "funcflow.conf"
    with path.open("w") as file:
        config.write(file)
    return path


@pytest.fixture
def programs(configured: Path) -> Iterator[list[Program]]:
    option = ("--config-file", str(configured))
    made = [
        Program(configured.parent / "conductor", "funcflow-conductor", *option),
        Program(configured.parent / "api", "funcflow-api", *option, "--workers", "1"),
    ]
    yield made
    for program in reversed(made):
        program.stop()


def test_it_runs_functions_and_is_watched(configured: Path, programs: list[Program]) -> None:
    option = ("--config-file", str(configured))
    subprocess.run(["funcflow", "db", "upgrade", *option], check=True, capture_output=True)
    for program in programs:
        program.launch()
    config = configparser.RawConfigParser()
    config.read(configured)
    url = f"http://127.0.0.1:{config['api']['port']}"
    api = client.Client(transport.DirectTransport(url))
    until(lambda: _ready(api), timeout=60, what="an API with a conductor")

    source = "def main(n): return n * 2"
    made = api.functions.create({"name": "twice", "runtime": "python3", "source": source})
    done = api.executions.submit({"function_id": made["id"], "input": {"n": 21}})
    watched = f"http://127.0.0.1:{config['conductor']['metrics_port']}/metrics"
    with urllib.request.urlopen(watched) as answer:
        metrics = answer.read().decode()
    status = subprocess.run(
        ["funcflow", "status", *option, "--endpoint", url, "-f", "csv"],
        capture_output=True,
        text=True,
    )

    assert done["result"].startswith('{"output": 42,')
    assert "funcflow_conductor_cold_starts_total 1.0" in metrics
    assert '"jobboard","zookeeper, 1 conductors"' in status.stdout
    assert '"server","ready"' in status.stdout


def _ready(api: client.Client) -> bool:
    try:
        api.call("GET", "/readyz")
    except faults.ClientError:
        return False
    return True
