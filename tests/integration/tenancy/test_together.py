"""All that a cloud lends a function, at once: its code is an object in Swift, it has a secret,
and acts as its owner; real Keystone and Swift, from the API to the function in its sandbox."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from funcflow.cmd import up
from tests import bundles, objects, openstack
from tools.services import identities, swift

MAIN = """
def main(context):
    cloud = context.openstack()
    letter = cloud.object_store.download_object("letter.txt", "papers").decode()
    return [letter, context.secrets["stamp"], cloud.current_project_id, context.roles]
"""


@pytest.fixture(scope="module")
def running(
    cloud: identities.Cloud, swift: swift.Server, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[up.Server]:
    more = objects.section(swift) + "[sandbox]\nnetwork = host\n"
    with openstack.server(cloud, more=more, folder=tmp_path_factory.mktemp("cloud")) as made:
        yield made


def test_a_function_of_an_object_reads_another_one_as_its_owner(
    running: up.Server, cloud: identities.Cloud, swift: swift.Server, tmp_path: Path
) -> None:
    ann = objects.Person.make(cloud, swift)
    api = openstack.As(running.url, ann.token)
    (tmp_path / "package").mkdir()
    folder = bundles.bring(tmp_path / "package", "openstacksdk")
    (folder / "main.py").write_text(MAIN)
    package = Path(shutil.make_archive(str(tmp_path / "package"), "zip", folder))
    for name, data in (
        ("code", b""),
        ("code/reader.zip", package.read_bytes()),
        ("papers", b""),
        ("papers/letter.txt", b"Dear function"),
    ):
        ann.put(name, data)
    kept = api("POST", "/v1/secrets", {"name": "stamp", "value": "red"})
    assert kept.status == 201, kept.body
    made = api(
        "POST",
        "/v1/functions",
        {
            "runtime_id": "python3",
            "code": {"source": "swift", "swift": {"container": "code", "object": "reader.zip"}},
            "entry": "main.main",
            "timeout": 60,
            "memory_size": 256 << 20,
            "network": True,
            "identity": {"as": "owner", "roles": ["member"]},
            "secrets": [{"secret": "stamp", "mount": "metadata", "name": "stamp"}],
        },
    )
    assert made.status == 201, made.body
    execution = api.run(made.json["id"], sync=True)
    assert execution["status"] == "success", execution
    letter, stamp, project, roles = json.loads(execution["result"])["output"]
    assert (letter, stamp, project) == ("Dear function", "red", ann.project)
    # A member is a reader, too.
    assert roles == ["member", "reader"]
