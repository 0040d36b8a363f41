"""A function's run as one step of a composition, as a checklist.

Run by the conductor that holds the composition's execution, in the inline engine. Requires
``invocation``, provides ``outcome``: settling is the composition's, whose log gets the outcome
together with what follows from it.
"""

from __future__ import annotations

from taskflow.patterns import linear_flow

from taskflow_flows.tasks import functions, identities, workers


def make_flow() -> linear_flow.Flow:
    """load → identity → worker → run. The name ``taskflow_flows.step.make_flow`` is stored data."""
    return linear_flow.Flow("step").add(
        functions.LoadFunction(),
        identities.BorrowIdentity(),
        workers.AcquireWorker(),
        workers.RunFunction(),
    )
