"""Rules are applied to who asks, and to nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from funcflow import conf as config
from funcflow import errors, models
from funcflow.auth import guard


def make(folder: Path, text: str | None = None) -> guard.Guard:
    file = folder / "policy.yaml"
    if text is not None:
        file.write_text(text)
    settings = folder / "funcflow.conf"
    settings.write_text(f"[oslo_policy]\npolicy_file = {file}\n")
    return guard.Guard(config.load([settings]))


def asker(*roles: str, project: str = "own", **more: str) -> models.RequestContext:
    return models.RequestContext(project_id=project, roles=roles, request_id="req-1", **more)


@pytest.mark.parametrize(
    ("rule", "roles", "allowed"),
    [
        ("functions:list", ("reader",), True),
        ("functions:create", ("reader",), False),
        ("functions:create", ("member", "reader"), True),
        ("runtimes:create", ("manager", "member", "reader"), False),
        ("runtimes:create", ("admin",), True),
        ("all_projects", ("member", "reader"), False),
        ("functions:list", (), False),
        ("runtimes:list", (), False),
    ],
)
def test_personas(tmp_path: Path, rule: str, roles: tuple[str, ...], allowed: bool) -> None:
    made = make(tmp_path)
    assert made.allows(rule, asker(*roles)) is allowed
    assert made.allows(rule, asker(*roles)) is allowed, "remembered as it was"


def test_a_refusal_says_which_rule(tmp_path: Path) -> None:
    with pytest.raises(errors.Forbidden, match="the rule functions:create") as caught:
        make(tmp_path).check("functions:create", asker("reader"))
    assert caught.value.code == "policy_denied"


def test_scope(tmp_path: Path) -> None:
    made = make(tmp_path)
    everywhere = asker("admin", project="", system_scope="all")
    assert made.allows("runtimes:create", everywhere)
    assert made.allows("all_projects", asker("reader", project="", system_scope="all"))
    with pytest.raises(errors.Forbidden, match="system scope") as caught:
        made.check("functions:create", everywhere)
    assert caught.value.code == "wrong_scope"
    domain = asker("admin", project="", domain_id="default")
    applied = [rule for rule in made.rules if ":" in rule or rule in ("admin", "all_projects")]
    assert [rule for rule in applied if made.allows(rule, domain)] == []


def test_an_unknown_rule_is_a_bug_not_a_door(tmp_path: Path) -> None:
    with pytest.raises(Exception, match="nonsense"):
        make(tmp_path).allows("nonsense", asker("admin"))


def test_the_file_changes_rules(tmp_path: Path) -> None:
    made = make(tmp_path, '"functions:create": "user_id:ann"\n')
    assert made.allows("functions:create", asker(user_id="ann"))
    assert not made.allows("functions:create", asker("admin", user_id="bob"))


@pytest.mark.parametrize(
    "text", ["[[[", '"functions:create": "rule:nothing"', '"functions:list": "rule:functions:list"']
)
def test_a_wrong_file_is_told_at_the_start(tmp_path: Path, text: str) -> None:
    with pytest.raises(errors.ConfigError, match="the policy file is wrong"):
        make(tmp_path, text)
