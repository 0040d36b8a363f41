"""Callbacks over HTTP: what may be asked for, and what is shown of them."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest

from funcflow.cmd import up
from tests.api.client import Api

ACTION = "3f1c9a7e-5b2d-4860-8d2f-6b1c4e7a9035"
WANTED = {"kind": "mistral", "action_execution_id": ACTION}


@pytest.fixture(scope="module")
def calling(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """An API with a Mistral that never answers."""
    folder = tmp_path_factory.mktemp("callbacks")
    file = folder / "funcflow.conf"
    settings = "[mistral]\nurl = http://127.0.0.1:9\n[callbacks]\nmax_age = 1\nbackoff = 0.05\n"
    file.write_text(settings)
    options = up.Options(port=0, data_dir=str(folder / "data"), config_files=[file])
    server = up.Server(up.load(options))
    try:
        yield Api(server.url)
    finally:
        server.stop()


def test_one_is_shown_until_somebody_was_told(calling: Api) -> None:
    function = calling.function("def main():\n    return 1\n", name="one")["id"]
    body = {"function_id": function, "sync": False, "callback": WANTED}
    execution = calling("POST", "/v1/executions", body).json["id"]
    shown = calling("GET", f"/v1/callbacks/{execution}").json
    assert (shown["of"], shown["kind"], shown["target"]) == (
        "function",
        "mistral",
        {"action_execution_id": ACTION},
    )
    listed = calling("GET", "/v1/callbacks").json["callbacks"]
    assert [each["execution_id"] for each in listed] == [execution]
    redriven = calling("POST", f"/v1/callbacks/{execution}/redrive")
    assert redriven.status in (200, 409)
    assert calling("DELETE", f"/v1/callbacks/{execution}").status == 204
    assert calling("GET", f"/v1/callbacks/{execution}").status == 404


@pytest.mark.parametrize(
    ("callback", "code"),
    [
        ({"kind": "mistral"}, "invalid_field"),
        ({"kind": "pigeon", "action_execution_id": ACTION}, "invalid_field"),
        ({"kind": "mistral", "action_execution_id": "../workflows"}, "invalid_field"),
        ({**WANTED, "url": "http://169.254.169.254/"}, "invalid_field"),
    ],
)
def test_what_is_no_callback_is_refused(calling: Api, callback: object, code: str) -> None:
    body = {"function_id": str(uuid.uuid4()), "sync": False, "callback": callback}
    answer = calling("POST", "/v1/executions", body)
    assert (answer.status, answer.code) == (400, code)


def test_who_waits_needs_none(calling: Api) -> None:
    body = {"function_id": str(uuid.uuid4()), "callback": WANTED}
    answer = calling("POST", "/v1/executions", body)
    assert (answer.status, answer.code) == (400, "callback_of_sync")


def test_without_a_mistral_there_is_nobody_to_call(api: Api) -> None:
    body = {"function_id": str(uuid.uuid4()), "sync": False, "callback": WANTED}
    answer = api("POST", "/v1/executions", body)
    assert (answer.status, answer.code) == (400, "no_mistral")
