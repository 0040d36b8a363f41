"""The guide to a first workflow, followed to the letter."""

from __future__ import annotations

from pathlib import Path

from tests import openstack
from tests.integration.guides import reader
from tests.integration.mistral.stage import Stage
from tools.services import identities


def test_my_first_workflow(stage: Stage, cloud: identities.Cloud, tmp_path: Path) -> None:
    cloud.service("mistral", "workflowv2", f"{stage.mistral.url}/v2")
    team = openstack.Team.make(cloud, stage.funcflow.url)
    reader.follow("workflow", tmp_path, cloud, team)
