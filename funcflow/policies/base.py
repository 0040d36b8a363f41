"""The personas, and how a rule is written. Used by the modules beside this one.

The personas are those of OpenStack's secure RBAC: what a project's *reader* may look at, its
*member* may use and its *manager* may hand on to others; the *admin* runs the installation.
Things belong to projects, so tokens are of project scope; what concerns the whole installation
also takes system scope. Rules are about the asker's own project: another project's things are
not found in the first place, unless they are shared.
"""

from __future__ import annotations

from oslo_policy import policy

PROJECT = ("project",)
#: For what is of the installation, not of one project.
SYSTEM = ("system", "project")

ADMIN = "rule:admin"
READER = "rule:project_reader"
MEMBER = "rule:project_member"
MANAGER = "rule:project_manager"
#: Who may look at the things of all projects.
SYSTEM_READER = "rule:system_reader"
#: Lists are of the own project, or of all.
LISTER = "rule:project_reader or rule:system_reader"
ANYBODY = "rule:anybody"

_OWN = "project_id:%(project_id)s"

RULES = [
    policy.RuleDefault(
        "admin",
        "role:admin",
        "Who runs the installation, sees every project's things and may do everything.",
        scope_types=list(SYSTEM),
    ),
    policy.RuleDefault("project_reader", f"(role:reader and {_OWN}) or rule:admin", "Looks on."),
    policy.RuleDefault("project_member", f"(role:member and {_OWN}) or rule:admin", "Works."),
    policy.RuleDefault(
        "project_manager",
        f"(role:manager and {_OWN}) or rule:admin",
        "Decides what leaves the project.",
    ),
    policy.RuleDefault(
        "system_reader", "(role:reader and system_scope:all) or rule:admin", "Looks at everything."
    ),
    policy.RuleDefault(
        "anybody", "role:reader or role:member or rule:admin", "Whoever has a role somewhere."
    ),
]


def rule(
    name: str, check: str, description: str, *operations: str, scopes: tuple[str, ...] = PROJECT
) -> policy.DocumentedRuleDefault:
    """A rule; its name is an operation's id with a colon.

    :param operations: as in ``"GET /v1/functions"``
    """
    split = (each.split(" ", 1) for each in operations)
    paths: list[policy.Operation] = [{"method": method, "path": path} for method, path in split]
    return policy.DocumentedRuleDefault(name, check, description, paths, scope_types=list(scopes))
