"""What a function learns about its run, and which run a piece of code belongs to."""

from __future__ import annotations

import contextvars
import time
from typing import Any

#: Id of the run the current thread or task works for; None between runs.
current_run: contextvars.ContextVar[str | None] = contextvars.ContextVar("run", default=None)


class Context:
    """Facts about one run, all read-only by convention.

    What did not come with the call is asked of the metadata service, each time it is looked at;
    what this run does not have is a :class:`.metadata.MetadataError` with status 404.
    """

    __slots__ = (
        "_client",
        "_metadata",
        "deadline",
        "execution_id",
        "function",
        "memory_limit",
        "project",
        "request_id",
        "traceparent",
        "version",
    )

    def __init__(self, fields: dict[str, Any], memory_limit: int, metadata_url: str = "") -> None:
        self.request_id: str | None = fields.get("request_id")
        self.execution_id: str = fields["execution_id"]
        self.function: str = fields["function"]
        self.version: int = fields["version"]
        self.project: str = fields["project"]
        self.traceparent: str | None = fields.get("traceparent")
        #: Seconds since the epoch at which the run is stopped.
        self.deadline: float = fields["deadline"]
        #: Bytes.
        self.memory_limit = memory_limit
        self._metadata = metadata_url, fields.get("metadata", "")
        self._client: Any = None

    def remaining_time(self) -> float:
        """Seconds until the run is stopped; never negative."""
        return max(0.0, self.deadline - time.time())

    def remaining_time_ms(self) -> int:
        """The same in whole milliseconds."""
        return int(self.remaining_time() * 1000)

    @property
    def metadata_secret(self) -> str:
        """Makes a session token of the metadata service, for programs that the function starts."""
        return self._metadata[1]

    def metadata(self, path: str = "") -> Any:
        """What the metadata service has at that path: a text, or anything of JSON."""
        return self._ask().get(path)

    @property
    def configuration(self) -> dict[str, Any]:
        """The function's own, as its owner set it."""
        return dict(self._ask().get("configuration"))

    @property
    def secrets(self) -> Any:
        """A mapping; a secret is fetched when it is looked at."""
        from .metadata import Secrets

        return Secrets(self._ask())

    @property
    def user(self) -> str | None:
        """Id of the user whose token was lent to the run; None without one."""
        user: str | None = self._ask().get("user_id")
        return user

    @property
    def roles(self) -> list[str]:
        """Names of the roles that token has; none without one."""
        return list(self._ask().get("roles"))

    @property
    def catalog(self) -> list[dict[str, Any]]:
        """Services with their endpoints, as Keystone gives them."""
        return list(self._ask().get("catalog"))

    def token(self) -> str:
        """The token of Keystone that was lent to the run."""
        return str(self._ask().get("credentials/token"))

    def session(self, **options: Any) -> Any:
        """A session of ``keystoneauth1``, which the package brings, with that token."""
        from . import openstack

        return openstack.session(self._ask(), **options)

    def openstack(self, **options: Any) -> Any:
        """A connection of ``openstacksdk``, which the package brings, with that token."""
        from . import openstack

        return openstack.connection(self._ask(), **options)

    def __getitem__(self, name: str) -> Any:
        """As functions of Qinling know it: ``context["os_session"]``, and anything else by name."""
        if name == "os_session":
            return self.session()
        try:
            return getattr(self, name)
        except AttributeError:
            raise KeyError(name) from None

    def _ask(self) -> Any:
        if self._client is None:
            from .metadata import Client, MetadataError

            if not all(self._metadata):
                raise MetadataError(404, "there is no metadata service here")
            self._client = Client(*self._metadata)
        return self._client
