"""Ceilometer's notification agent, from PyPI: reads a broker and writes samples into a file."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tools.services import process, virtualenv

REQUIREMENTS = ("ceilometer==27.0.0",)
_CONFIG = """\
[DEFAULT]
transport_url = {url}
pipeline_cfg_file = {folder}/pipeline.yaml
use_stderr = true
[notification]
pipelines = meter
notification_control_exchanges = {exchange}
[oslo_messaging_notifications]
topics = {topic}
[meter]
meter_definitions_dirs = {meters}
[polling]
identity_name_discovery = false
"""
_PIPELINE = {
    "sources": [{"name": "all", "meters": ["*"], "sinks": ["file"]}],
}


def install() -> Path:
    """The folder of its virtualenv; made at first."""
    return virtualenv.ensure("ceilometer", REQUIREMENTS)


class Agent(process.Service):
    """An agent of one exchange and topic. ``meters``: a folder of definitions."""

    name = "Ceilometer"

    def __init__(self, folder: Path, url: str, exchange: str, topic: str, meters: Path) -> None:
        super().__init__(folder)
        self._out = folder / "samples.json"
        sink = {"name": "file", "publishers": [f"file://{self._out}?json"]}
        (folder / "pipeline.yaml").write_text(json.dumps({**_PIPELINE, "sinks": [sink]}))
        (folder / "ceilometer.conf").write_text(
            _CONFIG.format(url=url, exchange=exchange, topic=topic, meters=meters, folder=folder)
        )

    def command(self) -> Sequence[str]:
        binaries = install() / "bin"
        program = [str(binaries / "python"), "-W", "ignore"]
        program.append(str(binaries / "ceilometer-agent-notification"))
        return [*program, "--config-file", str(self.folder / "ceilometer.conf")]

    def answers(self) -> bool:
        # It has no door to knock on; its queue holds what comes before it reads.
        return True

    def samples(self) -> list[dict[str, Any]]:
        """What it made so far."""
        if not self._out.exists():
            return []
        return [json.loads(line) for line in self._out.read_text().splitlines()]
