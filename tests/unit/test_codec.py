"""What goes over the wire between our processes arrives as it was."""

from __future__ import annotations

import json

import pytest

from funcflow import codec, delegations, models
from tests.unit.db import factory

OWNER = delegations.Identity(kind="owner", roles=("a", "b"), user_id="u", trust_id="t")


@pytest.mark.parametrize("identity", [None, OWNER])
def test_a_revision(identity: delegations.Identity | None) -> None:
    sent = models.Revision(
        function_id="f", number=1, project_id="p", runtime_id=None, code={}, digest=None,
        identity=identity,
        secrets=(models.SecretMount(secret="s", mount="environment", name="S"),),
    )  # fmt: skip
    assert codec.revision_in(json.loads(json.dumps(codec.revision_out(sent)))) == sent


def test_an_execution() -> None:
    error = models.FunctionError(type="E", message="m", trace=("line",))
    sent = factory.execution(trust_id="t", error=error, usage=models.Usage(cold=True))
    assert codec.execution_in(json.loads(json.dumps(codec.execution_out(sent)))) == sent
