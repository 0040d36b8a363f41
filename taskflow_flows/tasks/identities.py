"""Tasks that touch identities."""

from __future__ import annotations

from taskflow import task

from funcflow import delegations
from funcflow.trusts import base as trusts
from taskflow_flows import invocation as inv


class BorrowIdentity(task.Task):  # type: ignore[misc]
    """Get the token of whom the function acts as, or do not run at all.

    It is kept beside the flow's results, which an engine may store.
    """

    def execute(self, invocation: inv.Invocation, definition: inv.Definition) -> None:
        identity = definition.revision.identity
        if identity is not None:
            invocation.delegation = _borrow(invocation, definition, identity)


def _borrow(
    invocation: inv.Invocation, definition: inv.Definition, identity: delegations.Identity
) -> delegations.Delegation:
    """
    :raises trusts.TrustInvalid: nobody lends it
    :raises funcflow.errors.Unavailable: Keystone is away
    """
    owner = identity.kind == "owner"
    trust_id = identity.trust_id if owner else invocation.execution.trust_id
    if trust_id is None or invocation.trusts is None:
        raise trusts.TrustInvalid(
            f"nobody lent the function its {identity.kind}'s identity",
            hint="A function that acts as its caller is to be called by somebody.",
        )
    # It has to be good to the end of the run, and a worker may have to be waited for.
    lasting = invocation.limits.acquire + definition.revision.limits.timeout
    return invocation.trusts.token(trust_id, lasting)
