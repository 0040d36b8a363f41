"""Somebody who follows a guide of ``doc/guides``, command by command, in a project of their own."""

from __future__ import annotations

import os
from pathlib import Path

from tests import console, openstack
from tools.services import identities

GUIDES = Path(__file__).resolve().parents[3] / "doc/guides"
MARK = "run in a cloud"


def follow(guide: str, folder: Path, cloud: identities.Cloud, team: openstack.Team) -> None:
    """Every command of the guide works and prints what the guide shows."""
    reader = team.user("member")
    clouds = openstack.clouds_file(folder, cloud, mine=(reader.name, reader.password, team.project))
    plain = {name: text for name, text in os.environ.items() if not name.startswith("OS_")}
    env = {
        **plain,
        "OS_CLOUD": "mine",
        "OS_CLIENT_CONFIG_FILE": str(clouds),
        "FUNCFLOW_ENDPOINT": team.url,
        "PYTHONWARNINGS": "ignore",
    }
    commands = console.examples(GUIDES / f"{guide}.md", MARK)
    assert len(commands) > 5
    ran = console.run(commands, folder, env, keep_going=False)
    wrong = [f"{guide}, {one}" for one in ran if not one.as_shown]
    assert not wrong, "\n\n".join(wrong)
    assert len(ran) == len(commands)
