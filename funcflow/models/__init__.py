"""What flows between the layers: frozen dataclasses, one per noun.

The database makes them, everything above reads them; dictionaries appear only on
the wire. Times are seconds since the epoch (UTC), durations are seconds measured on
the monotonic clock, sizes are bytes, CPU shares are millicpu.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Literal

from funcflow import delegations, states
from funcflow.models.scaling import LATEST as LATEST
from funcflow.models.scaling import Provision as Provision
from funcflow.models.scaling import Scaling as Scaling
from funcflow.models.secrets import Secret as Secret
from funcflow.models.secrets import SecretMount as SecretMount
from funcflow.models.secrets import SecretPlace as SecretPlace

Delivery = Literal["at-least-once", "at-most-once"]
CompositionType = Literal["STANDARD", "EXPRESS"]
#: Each grants what it names and nothing else.
Permission = Literal["execute", "read", "publish"]
ShareTarget = Literal["project", "domain", "all"]
#: What has versions and aliases, and can be shared.
ResourceKind = Literal["function", "composition"]
CodeSource = Literal["package", "source", "image", "swift"]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Runtime:
    id: str
    name: str
    image: str
    description: str = ""
    is_public: bool = True
    #: False asks for the strongest isolation the sandbox driver has.
    trusted: bool = True
    status: str = "available"
    project_id: str
    created_at: float
    updated_at: float | None = None

    @property
    def language(self) -> str:
        """``python3`` of the image ``registry/funcflow/python3:1.0``."""
        return self.image.rsplit("/", 1)[-1].partition("@")[0].partition(":")[0]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one worker may use, and how long one run may take."""

    cpu: int = 100
    memory_size: int = 134_217_728
    timeout: float = 5.0
    #: Runs at the same time in one worker.
    concurrency: int = 1
    #: Runs at the same time everywhere; None: as many as there is room for.
    max_concurrency: int | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Revision:
    """One immutable state of a function: what a worker is made from.

    ``latest`` and every version are pointers to a revision.
    """

    function_id: str
    number: int
    project_id: str
    runtime_id: str | None
    #: As the client sent it: {"source": "package", "md5sum": …} and the like.
    code: Mapping[str, Any]
    #: sha256 of the package, in hexadecimal; None for image functions.
    digest: str | None
    entry: str = "main.main"
    environment: Mapping[str, str] = dataclasses.field(default_factory=dict)
    #: JSON that the metadata service shows to the function.
    configuration: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    secrets: tuple[SecretMount, ...] = ()
    limits: Limits = Limits()
    delivery: Delivery = "at-least-once"
    #: Whether the worker may reach the network.
    network: bool = False
    created_at: float = 0.0
    #: Bytes of the package.
    size: int = 0
    #: None: it acts as nobody.
    identity: delegations.Identity | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Function:
    id: str
    name: str | None
    description: str = ""
    project_id: str
    count: int = 0
    latest_version: int = 0
    revision: Revision
    created_at: float
    updated_at: float | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    id: str
    function_id: str
    version_number: int
    description: str = ""
    project_id: str
    count: int = 0
    revision: Revision
    created_at: float
    updated_at: float | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Alias:
    id: str
    name: str
    description: str = ""
    project_id: str
    function_id: str
    function_version: int
    #: Share of the traffic per other version, {version number: 0 < weight < 1};
    #: the rest goes to ``function_version``.
    weights: Mapping[int, float] = dataclasses.field(default_factory=dict)
    created_at: float
    updated_at: float | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """What others may do with a function or composition. ``target_id``: a project's or domain's,
    "" for all.

    At most one of ``version`` and ``alias`` narrows it.
    """

    id: str
    kind: ResourceKind
    #: The function's or composition's.
    resource_id: str
    #: The owner's.
    project_id: str
    target_kind: ShareTarget
    target_id: str = ""
    permission: Permission
    version: int | None = None
    alias: str | None = None
    expires_at: float | None = None
    created_by: str | None = None
    created_at: float


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class FunctionError:
    """What went wrong, as the caller sees it; ``trace`` shows user code only."""

    type: str
    message: str
    trace: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What one run took."""

    queue: float = 0.0
    startup: float = 0.0
    run: float = 0.0
    cpu: float = 0.0
    #: Highest memory use of the worker so far, in bytes.
    memory_peak: int = 0
    worker: str | None = None
    cold: bool = False


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Execution:
    id: str
    project_id: str
    function_id: str
    function_version: int = LATEST
    function_alias: str | None = None
    #: The revision pinned when the execution was accepted.
    revision: int
    #: The board's shard its job belongs on; the shard's owner re-posts lost jobs.
    shard: int = 0
    description: str = ""
    sync: bool = True
    state: states.State = states.State.QUEUED
    #: JSON text as sent, or None.
    input: str | None = None
    #: JSON text of the function's value once it succeeded.
    output: str | None = None
    error: FunctionError | None = None
    #: Why it was requeued or is dead: sandbox_lost, expired, attempts, poison …
    reason: str | None = None
    attempts: int = 0
    #: Fencing token of the claim that runs it: grows with every claim.
    epoch: int = 0
    #: Name of the conductor incarnation that runs it.
    owner: str | None = None
    not_before: float = 0.0
    expires_at: float
    idempotency_key: str | None = None
    request_id: str | None = None
    #: W3C traceparent of the caller.
    traceparent: str | None = None
    usage: Usage = Usage()
    #: The composition's execution that asked for it and is told its end, and by which command.
    parent_id: str | None = None
    parent_command: int | None = None
    #: Our name of the trust its caller lends it.
    trust_id: str | None = None
    #: Who called; None: nobody whom Keystone knows, such as a trigger or a composition.
    user_id: str | None = None
    #: Another project's definition asked for it: input and output are not its project's to see.
    hidden: bool = False
    created_at: float
    started_at: float | None = None
    finished_at: float | None = None
    updated_at: float | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class CompositionRevision:
    """One immutable definition of a composition.

    ``latest`` and every version are pointers to a revision.
    """

    composition_id: str
    number: int
    project_id: str
    type: CompositionType = "STANDARD"
    #: As sent: JSON or YAML text.
    definition: str
    #: sha256 of the definition's text, in hexadecimal.
    digest: str
    created_at: float = 0.0
    #: As whom it uses buckets and runs workflows: its owner; None: nobody.
    identity: delegations.Identity | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Composition:
    id: str
    #: Unique in the project.
    name: str
    description: str = ""
    project_id: str
    #: Executions ever started of ``latest``.
    count: int = 0
    latest_version: int = 0
    revision: CompositionRevision
    created_at: float
    updated_at: float | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class CompositionVersion:
    id: str
    composition_id: str
    version_number: int
    description: str = ""
    project_id: str
    count: int = 0
    revision: CompositionRevision
    created_at: float
    updated_at: float | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class CompositionAlias:
    id: str
    #: Unique among the aliases of the composition.
    name: str
    description: str = ""
    project_id: str
    composition_id: str
    composition_version: int
    #: Share of the starts per other version, as of :class:`Alias`.
    weights: Mapping[int, float] = dataclasses.field(default_factory=dict)
    created_at: float
    updated_at: float | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class CompositionExecution:
    """One run of a composition, or of a distributed Map's processor for some of its items.

    ``input`` and ``output`` are JSON text, or a reference to the store (``references``).
    """

    id: str
    project_id: str
    composition_id: str
    composition_version: int = LATEST
    composition_alias: str | None = None
    #: The revision pinned when it was accepted.
    revision: int
    type: CompositionType = "STANDARD"
    #: Unique among the executions of the composition; a second start with it finds the first.
    name: str
    #: The board's shard its job belongs on.
    shard: int = 0
    state: states.CompositionState = states.CompositionState.QUEUED
    paused: bool = False
    input: str | None = None
    output: str | None = None
    error: str | None = None
    cause: str | None = None
    #: Why it was given back or is dead: attempts, poison …
    reason: str | None = None
    #: Claims since its log last grew.
    attempts: int = 0
    #: Fencing token of the claim that holds it: grows with every claim.
    epoch: int = 0
    #: Name of the conductor incarnation that holds it.
    owner: str | None = None
    #: Signals in its log; the next one has the next number.
    sequence: int = 0
    #: Entries its inbox ever got, and how many of them it has taken.
    deliveries: int = 0
    consumed: int = 0
    #: When to give it to a conductor again; None: only when somebody tells it something.
    wake_at: float | None = None
    redrives: int = 0
    #: The composition's execution that started it, and by which of its commands.
    parent_id: str | None = None
    parent_command: int | None = None
    #: For a child of a distributed Map: the state whose processor it runs, the place among the
    #: state's children (from 0), and the name of the Map Run.
    map_state: str | None = None
    map_index: int | None = None
    map_run: str | None = None
    #: How many executions it is nested in.
    depth: int = 0
    #: Where random numbers and the secrets of task tokens come from.
    seed: str = dataclasses.field(repr=False)
    request_id: str | None = None
    #: W3C traceparent of the caller.
    traceparent: str | None = None
    #: What it runs is another project's, which shares it.
    borrowed: bool = False
    #: As of :class:`Execution`.
    hidden: bool = False
    created_at: float
    started_at: float | None = None
    finished_at: float | None = None
    updated_at: float | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class LogChunk:
    """A piece of what a function printed. ``seq`` orders chunks of one execution."""

    stream: Literal["stdout", "stderr", "system"]
    text: str
    at: float
    seq: int = 0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class RequestContext:
    """Who asks, established by the auth driver before any controller runs."""

    #: The project the token is of; "" when it is of another scope.
    project_id: str
    user_id: str | None = None
    roles: tuple[str, ...] = ()
    #: Sees and changes every project's things.
    is_admin: bool = False
    #: The domain that the project is in.
    project_domain_id: str | None = None
    user_domain_id: str | None = None
    #: The domain the token is of, when that is its scope.
    domain_id: str | None = None
    #: "all" when the token is of system scope.
    system_scope: str | None = None
    #: Roles of the service that passes somebody's request on.
    service_roles: tuple[str, ...] = ()
    request_id: str
    traceparent: str | None = None
    #: The token is of an application credential or a trust, not of the person.
    delegated: bool = False
    #: To do at once what only the asker may do at Keystone; kept and passed on nowhere.
    auth_token: str | None = dataclasses.field(default=None, repr=False, compare=False)
