"""The invocation's checklist, in both engines."""

from __future__ import annotations

import dataclasses
import importlib
from typing import Any

import pytest
import taskflow.engines

from funcflow import delegations, models
from funcflow.sandboxes import base as sandbox_base
from funcflow.states import State
from funcflow.trusts import base as trusts
from taskflow_flows import invocation as inv
from taskflow_flows import invoke
from taskflow_flows.tasks import workers

ENGINES = ["serial", "funcflow-inline"]


@dataclasses.dataclass
class Lease:
    """A worker that answers, raises or is not there; remembers how it was returned."""

    fault: Exception | None = None
    cold: bool = False
    startup: float = 0.0
    secrets: dict[str, str] = dataclasses.field(default_factory=dict)
    hidden: tuple[str, ...] = ()
    ended: list[str] = dataclasses.field(default_factory=list)
    requests: list[sandbox_base.Request] = dataclasses.field(default_factory=list)

    @property
    def worker(self) -> Any:
        return self

    def invoke(
        self, request: sandbox_base.Request, sink: sandbox_base.LogSink
    ) -> sandbox_base.Outcome:
        self.requests.append(request)
        if self.fault:
            raise self.fault
        sink(models.LogChunk("stdout", "hello", 1.0))
        return sandbox_base.Outcome(value='{"a": 1}')

    def give_back(self) -> None:
        self.ended.append("given back")

    def discard(self) -> None:
        self.ended.append("discarded")


class World:
    """Catalog, pools, ledger and logs in one, for a single invocation."""

    def __init__(self, lease: Lease | None = None, refuse: Exception | None = None) -> None:
        self.lease = lease or Lease()
        self.refuse = refuse
        self.identity: delegations.Identity | None = None
        #: The trust that is good.
        self.lends = ""
        self.acquired = 0
        self.chunks: list[models.LogChunk] = []

    def definition(self, function_id: str, revision: int) -> inv.Definition:
        made = models.Revision(
            function_id=function_id,
            number=revision,
            project_id="p",
            runtime_id=None,
            code={},
            digest=None,
            identity=self.identity,
        )
        return inv.Definition(revision=made, function_name="f", language="x", trusted=True)

    def acquire(
        self, definition: inv.Definition, timeout: float, project_id: str | None = None
    ) -> Lease:
        self.acquired += 1
        return self.lease

    def token(self, trust_id: str, lasting: float = 0.0) -> delegations.Delegation:
        assert lasting > 1.0, "it is good for the wait for a worker, and the run"
        if trust_id != self.lends:
            raise trusts.TrustInvalid("no")
        return delegations.Delegation(token=trust_id, expires_at=9.0, user_id="u", project_id="p")

    def settle(self, invocation: inv.Invocation, outcome: sandbox_base.Outcome) -> models.Execution:
        if self.refuse:
            raise self.refuse
        return dataclasses.replace(
            invocation.execution, state=State.SUCCEEDED, output=outcome.value
        )

    def add(self, chunk: models.LogChunk) -> None:
        self.chunks.append(chunk)

    def rest(self) -> tuple[models.LogChunk, ...]:
        return tuple(self.chunks)


def invocation(world: World, **fields: Any) -> inv.Invocation:
    execution = models.Execution(
        id="e", project_id="p", function_id="f", revision=3, expires_at=2.0, created_at=1.0,
        **fields,
    )  # fmt: skip
    limits = inv.Limits(result=100, log=100, acquire=1.0)
    return inv.Invocation(execution, world, world, world, world, limits, world)


def run(engine: str, made: inv.Invocation) -> dict[str, Any]:
    results: dict[str, Any] = taskflow.engines.run(
        invoke.make_flow(), engine=engine, store={"invocation": made}
    )
    return results


def test_the_factory_keeps_its_name() -> None:
    """It is stored with jobs: renaming it breaks what is on the board."""
    module = importlib.import_module("taskflow_flows.invoke")
    flow = module.make_flow()
    assert flow.requires == {"invocation"}
    assert flow.provides == {"definition", "lease", "outcome", "settled"}
    assert [task.name.rsplit(".", 1)[1] for task in flow] == [
        "LoadFunction",
        "BorrowIdentity",
        "AcquireWorker",
        "RunFunction",
        "SettleExecution",
    ]


def test_both_engines_settle_alike() -> None:
    outcomes = []
    for engine in ENGINES:
        world = World()
        results = run(engine, invocation(world, input='{"n": 1}'))
        assert world.lease.ended == ["given back"]
        assert [chunk.text for chunk in world.chunks] == ["hello"]
        assert world.lease.requests[0].input == {"n": 1}
        outcomes.append((results["settled"], results["outcome"], results["definition"]))
    assert outcomes[0] == outcomes[1]
    assert outcomes[0][0].output == '{"a": 1}'


@pytest.mark.parametrize("engine", ENGINES)
def test_a_worker_that_fails_the_platform_is_thrown_away(engine: str) -> None:
    world = World(Lease(fault=sandbox_base.SandboxError("gone")))
    with pytest.raises(sandbox_base.SandboxError):
        run(engine, invocation(world))
    assert world.lease.ended == ["discarded"]


class Gone(Lease):
    """A worker that ended between being handed out and being called."""

    def invoke(
        self, request: sandbox_base.Request, sink: sandbox_base.LogSink
    ) -> sandbox_base.Outcome:
        raise sandbox_base.SandboxError("gone", code="worker_gone")


class Worlds(World):
    """Hands out several workers, one after the other."""

    def __init__(self, *leases: Lease) -> None:
        super().__init__()
        self.leases = list(leases)

    def acquire(
        self, definition: inv.Definition, timeout: float, project_id: str | None = None
    ) -> Lease:
        return self.leases.pop(0)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_worker_that_ended_before_the_call_is_replaced(engine: str) -> None:
    gone, good = Gone(), Lease()
    made = invocation(Worlds(gone, good))
    assert run(engine, made)["outcome"].value == '{"a": 1}'
    assert (gone.ended, good.ended) == (["discarded"], ["given back"])


@pytest.mark.parametrize("engine", ENGINES)
def test_a_call_that_no_worker_took_has_not_begun(engine: str) -> None:
    """So it costs no attempt, and what may run once only is not lost."""
    made = invocation(Worlds(Gone(), Gone(), Gone()))
    with pytest.raises(sandbox_base.SandboxError):
        run(engine, made)
    assert not made.began


@pytest.mark.parametrize("engine", ENGINES)
def test_a_refused_outcome_goes_to_the_caller(engine: str) -> None:
    world = World(refuse=inv.Fenced("e"))
    with pytest.raises(inv.Fenced):
        run(engine, invocation(world))
    assert world.lease.ended[0] == "given back", "the worker itself did nothing wrong"


@pytest.mark.parametrize("engine", ENGINES)
def test_what_was_cancelled_before_does_not_run(engine: str) -> None:
    world = World()
    made = invocation(world)
    made.cancelled.set()
    outcome = run(engine, made)["outcome"]
    assert outcome.error.type == "Cancelled"
    assert world.lease.requests == []


@pytest.mark.parametrize(
    ("text", "value"),
    [(None, None), ('{"a": 1}', {"a": 1}), ("[1, 2]", [1, 2]), ("plain words", "plain words"),
     ("", ""), ("1", 1)],
)  # fmt: skip
def test_input_is_json_or_one_plain_argument(text: str | None, value: Any) -> None:
    assert workers.decode_input(text) == value


@pytest.mark.parametrize("engine", ENGINES)
def test_the_owners_or_the_callers_identity_goes_with_the_request(engine: str) -> None:
    """And is none of the flow's results, which an engine may store."""
    owner = delegations.Identity(kind="owner", roles=("r",), trust_id="owner's")
    caller = delegations.Identity(kind="caller", roles=("r",))
    for identity, lends in ((owner, "owner's"), (caller, "caller's")):
        world = World()
        world.identity, world.lends = identity, lends
        results = run(engine, invocation(world, trust_id="caller's"))
        (request,) = world.lease.requests
        assert request.delegation is not None
        assert request.delegation.token == lends
        assert not any(isinstance(each, delegations.Delegation) for each in results.values())


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("kind", ["owner", "caller"])
@pytest.mark.parametrize("trust_id", [None, "bad"])
def test_without_the_identity_it_asks_for_it_does_not_run(
    engine: str, kind: delegations.Kind, trust_id: str | None
) -> None:
    world = World()
    world.identity = delegations.Identity(kind=kind, roles=("r",), trust_id=trust_id)
    with pytest.raises(trusts.TrustInvalid):
        run(engine, invocation(world, trust_id=trust_id))
    assert (world.acquired, world.lease.requests) == (0, [])
