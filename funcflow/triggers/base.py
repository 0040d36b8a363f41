"""The trigger seam: where events come from.

A driver is a class, an entry point of ``funcflow.triggers`` under the name that the ``type`` of a
trigger's source has. It is one of three kinds:

========== ============================================== =========================================
``kind``   how its events come                            who calls it
========== ============================================== =========================================
pushed     somebody sends them to the API                 ``receive``, by :mod:`funcflow.api`
polled     somebody has to look from time to time         ``poll``, by threads that all triggers
                                                          of the events process share
stream     over something that is kept open               ``serve``, in a thread of its own
========== ============================================== =========================================

The API checks a configuration with ``check`` when a trigger is made or changed; what that gives
back is kept, and is what every other method finds in ``trigger.source.configuration``.

Polled and stream drivers are made by the events process, one for each enabled trigger of the
partitions it holds (:mod:`funcflow.triggers.partitions`), and closed when the trigger is changed
or disabled, or its partition goes elsewhere. Two processes may, for a moment, serve the same
trigger: the same event must have the same ``source`` and ``id`` whoever delivers it, and is then
delivered as often as need be and executed once.

``deliver(event)`` returns when the event is durable: only then may it be acknowledged where it
came from. When it raises, the event was not taken, and is to be delivered again:

* :class:`Busy`: wait so many seconds, and deliver nothing else meanwhile (back-pressure)
* :class:`funcflow.errors.BadRequest`: it is no event and never will be; drop it
* :class:`Lost`: this is no longer ours to serve; return from ``serve`` or ``poll``
* any other :class:`funcflow.errors.FuncflowError`: something is away; try again later
"""

from __future__ import annotations

import dataclasses
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Literal, Protocol, runtime_checkable

from oslo_config import cfg

from funcflow import errors
from funcflow.db.engine import Database
from funcflow.delegations import Lender
from funcflow.events import Event, Trigger

Kind = Literal["pushed", "polled", "stream"]

#: Returns once the event is durable; see the module's docstring for what it raises.
Deliver = Callable[[Event], None]


class BadSource(errors.BadRequest):
    """The configuration of a source cannot be used."""

    code = "bad_source"
    hint = "Correct the source's configuration; the guide of triggers shows one of each type."


class BadSignature(errors.Forbidden):
    """Whoever sent an event does not prove to be who may."""

    code = "bad_signature"
    hint = "Sign the time and the body with the trigger's secret, and send it at once."


class Busy(errors.TooMany):
    """Not now; ``retry_after`` seconds later. Nothing is wrong with the event."""

    code = "trigger_busy"


class Lost(errors.Unavailable):
    """Another process serves the trigger by now, or it is another one."""

    code = "trigger_moved"


class Cursor(Protocol):
    """Where a source was: a small JSON value, kept in the database with the trigger."""

    def load(self) -> Any:
        """What was saved last; None at first.

        :raises Lost: the trigger is another one by now
        """

    def save(self, value: Any) -> None:
        """Durable once it returns.

        :raises Lost: another process serves the trigger
        :raises funcflow.errors.Unavailable: the database is away
        """


@dataclasses.dataclass(frozen=True, slots=True)
class Tools:
    """What a driver is given besides its trigger."""

    conf: cfg.ConfigOpts
    database: Database
    cursor: Cursor
    #: Write down that an event is not acted upon, and why.
    skip: Callable[[Event, str], None]
    #: Seconds since the epoch; tests have clocks of their own.
    clock: Callable[[], float] = time.time
    #: What the trigger's owner lent it; None: nobody lent it anything.
    lent: Lender | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Request:
    """What was sent to a pushed source. ``headers``: names in lower case."""

    method: str
    headers: Mapping[str, str]
    body: bytes
    #: When it came.
    at: float
    #: What the address has after ``?key=``.
    key: str = ""


@runtime_checkable
class Source(Protocol):
    """What every driver has. Inherit it for the defaults; see the module's docstring."""

    kind: ClassVar[Kind]
    #: Fields of the configuration that are never shown again.
    hidden: ClassVar[frozenset[str]] = frozenset()
    #: Whether each trigger has a secret, shown once.
    signed: ClassVar[bool] = False
    #: Whether events come to ``/v1/webhooks/{id}/invoke``, from whoever shows to ``receive`` that
    #: they may; of those that cannot sign, the address has a key, which is the secret.
    addressed: ClassVar[bool] = False
    keyed: ClassVar[bool] = False
    #: Whether it asks a service of the cloud with somebody's rights.
    acts: ClassVar[bool] = False

    def __init__(self, trigger: Trigger, tools: Tools) -> None:
        """Connects to nothing yet."""

    @classmethod
    def check(cls, configuration: Mapping[str, Any], conf: cfg.ConfigOpts) -> dict[str, Any]:
        """The configuration with its defaults, as it will be kept.

        :raises BadSource: it cannot be used; with the field, and what would do
        """

    def close(self) -> None:
        """Let go of everything; nothing is called after it."""


@runtime_checkable
class Pushed(Source, Protocol):
    """Made for each request."""

    kind: ClassVar[Kind] = "pushed"

    def receive(self, request: Request, secret: bytes) -> Sequence[Event]:
        """The events that were sent; none of them is durable yet.

        :param secret: the trigger's own
        :raises BadSignature: it was not sent by who may
        :raises funcflow.events.BadEvent: it cannot be understood
        """


@runtime_checkable
class Polled(Source, Protocol):
    """Looked at when its time has come; never by two threads at a time."""

    kind: ClassVar[Kind] = "polled"

    def poll(self, deliver: Deliver) -> float | None:
        """Deliver what there is, a bounded number of events, and save the cursor after them.

        :return: when to look again, in seconds since the epoch; None: only when there is a row
            for it in ``trigger_events``
        """


@runtime_checkable
class Stream(Source, Protocol):
    """Served by a thread of its own."""

    kind: ClassVar[Kind] = "stream"

    def serve(self, deliver: Deliver, stop: threading.Event) -> None:
        """Deliver events until ``stop`` is set, then return within a few seconds. Raised
        errors are logged; it is called again after a while that grows."""
