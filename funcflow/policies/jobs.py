"""Rules of Qinling's jobs and webhooks, which are views on triggers."""

from __future__ import annotations

from funcflow.policies.base import LISTER, MEMBER, READER, SYSTEM, rule

_JOB, _WEBHOOK = "/v1/jobs/{job_id}", "/v1/webhooks/{webhook_id}"
RULES = [
    rule("jobs:list", LISTER, "List jobs.", "GET /v1/jobs", scopes=SYSTEM),
    rule("jobs:show", READER, "Show a job.", f"GET {_JOB}", scopes=SYSTEM),
    rule("jobs:create", MEMBER, "Create a job.", "POST /v1/jobs"),
    rule("jobs:replace", MEMBER, "Change a job.", f"PUT {_JOB}"),
    rule("jobs:delete", MEMBER, "Delete a job.", f"DELETE {_JOB}"),
    rule("webhooks:list", LISTER, "List webhooks.", "GET /v1/webhooks", scopes=SYSTEM),
    rule("webhooks:show", READER, "Show a webhook.", f"GET {_WEBHOOK}", scopes=SYSTEM),
    rule("webhooks:create", MEMBER, "Create a webhook.", "POST /v1/webhooks"),
    rule("webhooks:replace", MEMBER, "Change a webhook.", f"PUT {_WEBHOOK}"),
    rule("webhooks:delete", MEMBER, "Delete a webhook.", f"DELETE {_WEBHOOK}"),
]
