"""One invocation, as a checklist.

Run by the conductor for every claim, in the inline engine; the stock engine gives the
same results. Requires ``invocation``, provides ``settled``.
"""

from __future__ import annotations

from taskflow.patterns import linear_flow

from taskflow_flows.tasks import functions, identities, outcomes, workers


def make_flow() -> linear_flow.Flow:
    """load → identity → worker → run → settle. The name ``taskflow_flows.invoke.make_flow`` is
    stored data."""
    return linear_flow.Flow("invoke").add(
        functions.LoadFunction(),
        identities.BorrowIdentity(),
        workers.AcquireWorker(),
        workers.RunFunction(),
        outcomes.SettleExecution(),
    )
