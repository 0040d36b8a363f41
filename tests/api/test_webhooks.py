"""``/v1/webhooks``, as Qinling has them."""

from __future__ import annotations

import hashlib
import hmac
import json

from tests.api.client import Api
from tests.waiting import until


def test_a_webhook_runs_a_function(api: Api, hello: str) -> None:
    answer = api("POST", "/v1/webhooks", {"function_id": hello, "description": "hook"})
    assert answer.status == 201
    hook = answer.json
    assert (hook["function_id"], hook["description"]) == (hello, "hook")
    path = f"/v1/webhooks/{hook['id']}"
    assert hook["webhook_url"] == f"{api.url}{path}/invoke"

    def invoked(body: bytes | None, kind: str = "application/json") -> object:
        done = api("POST", f"{path}/invoke", body, content_type=kind)
        assert done.status == 202, done.body
        execution = f"/v1/executions/{done.json['execution_id']}"
        until(lambda: api("GET", execution).json["status"] == "success", what="the run")
        shown = api("GET", execution).json
        assert hook["id"] in shown["description"]
        return json.loads(shown["result"])["output"]["hello"]

    assert invoked(b'{"name": "json"}') == "json"
    assert invoked(b"name=form", "application/x-www-form-urlencoded") == "form"
    assert invoked(b"just text", "text/plain") == "just text"
    assert invoked(None) == "world"
    assert api("POST", f"{path}/invoke", b"{").code == "bad_event"
    changed = api("PUT", path, {"description": "other"}).json
    assert (changed["description"], changed["function_id"]) == ("other", hello)
    assert hook["id"] in [each["id"] for each in api("GET", "/v1/webhooks").json["webhooks"]]
    assert api("GET", f"/v1/jobs/{hook['id']}").status == 404
    assert api("DELETE", path).status == 204
    assert api("POST", f"{path}/invoke", b"{}").status == 404


def test_what_github_signs(api: Api, hello: str) -> None:
    source = {"type": "webhook", "signature": "github"}
    body = {"source": source, "target": {"function": hello}, "input": "<% $event.data %>"}
    trigger = api("POST", "/v1/triggers", body).json
    path = f"/v1/webhooks/{trigger['id']}/invoke"
    sent = b'{"name": "push"}'
    digest = hmac.new(trigger["secret"].encode(), sent, hashlib.sha256).hexdigest()
    headers = {"X-Hub-Signature-256": f"sha256={digest}", "X-GitHub-Delivery": "d-1"}
    first = api("POST", path, sent, headers=headers)
    assert first.status == 202
    assert api("POST", path, sent, headers=headers).json == first.json
    assert api("POST", path, sent + b" ", headers=headers).code == "bad_signature"


def test_addresses_that_lead_nowhere(api: Api, hello: str) -> None:
    for reference in ("x", "00000000-0000-4000-8000-000000000000"):
        assert api("POST", f"/v1/webhooks/{reference}/invoke", b"{}").status == 404
    other = {"source": {"type": "cloudevent"}, "target": {"function": hello}}
    trigger = api("POST", "/v1/triggers", other).json
    assert api("POST", f"/v1/webhooks/{trigger['id']}/invoke", b"{}").status == 404
