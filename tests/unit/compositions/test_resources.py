"""Resource texts of AWS and of funcflow, and what is neither."""

from __future__ import annotations

import pytest

from funcflow.compositions.resources import (
    BadResource,
    Kind,
    Pattern,
    Resource,
    data_action,
    parse_resource,
)

LAMBDA = "arn:aws:lambda:us-east-1:123456789012:function:"
STATES = "arn:aws:states:::"


@pytest.mark.parametrize(
    ("text", "name", "qualifier"),
    [
        ("resize", "resize", None),
        ("resize:3", "resize", "3"),
        ("resize:stable", "resize", "stable"),
        ("0b54a3c4-8bb0-4f2e-9f3a-2d0c8d2d1a11", "0b54a3c4-8bb0-4f2e-9f3a-2d0c8d2d1a11", None),
        (f"{LAMBDA}resize", "resize", None),
        (f"{LAMBDA}resize:stable", "resize", "stable"),
        (f"{LAMBDA}resize:$LATEST", "resize", "$LATEST"),
        ("arn:aws-cn:lambda:REGION:ACCOUNT_ID:function:F", "F", None),
    ],
)
def test_functions(text: str, name: str, qualifier: str | None) -> None:
    assert parse_resource(text) == Resource(text, Kind.FUNCTION, Pattern.REQUEST, name, qualifier)


@pytest.mark.parametrize(
    ("text", "kind", "pattern"),
    [
        (f"{STATES}lambda:invoke", Kind.INVOKE, Pattern.REQUEST),
        (f"{STATES}lambda:invoke.waitForTaskToken", Kind.INVOKE, Pattern.TOKEN),
        (f"{STATES}states:startExecution", Kind.COMPOSITION, Pattern.REQUEST),
        (f"{STATES}states:startExecution.sync", Kind.COMPOSITION, Pattern.SYNC),
        (f"{STATES}states:startExecution.sync:2", Kind.COMPOSITION, Pattern.SYNC2),
        (f"{STATES}states:startExecution.waitForTaskToken", Kind.COMPOSITION, Pattern.TOKEN),
        (f"{STATES}http:invoke", Kind.HTTP, Pattern.REQUEST),
        ("funcflow:function.waitForTaskToken", Kind.INVOKE, Pattern.TOKEN),
        ("funcflow:composition.sync:2", Kind.COMPOSITION, Pattern.SYNC2),
        ("funcflow:http", Kind.HTTP, Pattern.REQUEST),
        ("funcflow:approval", Kind.APPROVAL, Pattern.TOKEN),
    ],
)
def test_actions(text: str, kind: Kind, pattern: Pattern) -> None:
    assert parse_resource(text) == Resource(text, kind, pattern)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("mistral:workflow:heal", "heal"),
        ("mistral:workflow:self_healing.heal.sync", "self_healing.heal.sync"),
        ("mistral:workflow:a:b-ö", "a:b-ö"),
        ("mistral:workflow", ""),
    ],
)
def test_workflows_are_waited_for(text: str, name: str) -> None:
    assert parse_resource(text) == Resource(text, Kind.WORKFLOW, Pattern.SYNC2, name)


@pytest.mark.parametrize("text", ["mistral:workflow:", "mistral:action:x", "mistral:workflow:a b"])
def test_what_mistral_does_not_have(text: str) -> None:
    with pytest.raises(BadResource, match="mistral:workflow:NAME"):
        parse_resource(text)


def test_activities_and_foreign_services_are_named() -> None:
    activity = parse_resource("arn:aws:states:us-east-1:123456789012:activity:my.work")
    assert (activity.kind, activity.name) == (Kind.ACTIVITY, "my.work")
    service = parse_resource(f"{STATES}aws-sdk:s3:listBuckets.waitForTaskToken")
    assert (service.kind, service.name) == (Kind.SERVICE, "aws-sdk:s3:listBuckets")
    assert service.pattern is Pattern.TOKEN


@pytest.mark.parametrize(
    "text",
    [
        "",
        " resize",
        "re size",
        "resize:",
        "resize:a:b",
        "-resize",
        "${Function}",
        "docker://hello-world:latest",
        "arn:aws:swf:us-east-1:123456789012:task:X",
        f"{LAMBDA}F:",
        f"{LAMBDA}F:$*#$7485",
        f"{STATES}lambda:invoke.sync",
        f"{STATES}lambda:invoke.soon",
        f"{STATES}http:invoke.waitForTaskToken",
        "funcflow:nothing",
        "funcflow:http.sync",
        "x" * 300,
    ],
)
def test_what_is_no_resource(text: str) -> None:
    with pytest.raises(BadResource):
        parse_resource(text)


def test_object_stores() -> None:
    assert data_action(f"{STATES}s3:getObject") == "s3:getObject"
    assert data_action(f"{STATES}aws-sdk:s3:listObjectsV2") == "s3:listObjectsV2"
    assert data_action("funcflow:listObjects") == "s3:listObjectsV2"
    with pytest.raises(BadResource):
        data_action(f"{STATES}lambda:invoke")
