"""The work of tasks that are HTTP calls.

Used by the conductor, by the API for trials of states, and by the local driver of the command line.

A call may be made again when its conductor dies before the answer is durable: who is called
should know requests it has seen (as by an idempotency key in a header).
"""

from __future__ import annotations

from typing import Any

from oslo_config import cfg

from funcflow import errors
from funcflow.compositions import failures, http_call
from funcflow.compositions.failures import Failure
from funcflow.compositions.work import CallHttp
from funcflow.egress import addresses
from funcflow.egress import client as egress
from funcflow.egress.addresses import Refused


class HttpWork:
    """One call; meets :class:`funcflow.answers.Work`."""

    def __init__(self, client: egress.Client, work: CallHttp, bounds: egress.Bounds) -> None:
        """:raises Failure: States.Runtime, it cannot be sent"""
        wanted = http_call.request(work)
        asked = egress.Request(wanted.method, wanted.url, wanted.headers, wanted.body)
        try:
            self._call = client.call(asked, bounds)
        except egress.BadUrl as error:
            raise _unfit(error) from error

    def run(self) -> Any:
        try:
            response = self._call.run()
        except Refused as error:
            raise Failure(failures.PERMISSIONS, error.message) from error
        except egress.TooBig as error:
            raise Failure(failures.DATA_LIMIT, error.message) from error
        except egress.BadUrl as error:
            raise _unfit(error) from error
        except errors.FuncflowError as error:
            raise Failure(http_call.SOCKET, error.message) from error
        return http_call.result(response.status, response.reason, response.headers, response.body)

    def cancel(self) -> None:
        self._call.cancel()


def _unfit(error: errors.FuncflowError) -> Failure:
    return Failure(failures.RUNTIME, f"HTTP task: {error.message}")


def client_of(conf: cfg.ConfigOpts) -> egress.Client:
    """:raises funcflow.errors.ConfigError: a network or the certificates cannot be read"""
    return egress.Client(guard_of(conf), conf.compositions.http_ca)


def guard_of(conf: cfg.ConfigOpts) -> addresses.Guard:
    """
    :raises funcflow.errors.ConfigError: a network cannot be read
    """
    options = conf.compositions
    return addresses.Guard(
        addresses.networks(options.http_allow), addresses.networks(options.http_deny)
    )


def bounds_of(conf: cfg.ConfigOpts) -> egress.Bounds:
    """Of one call."""
    options = conf.compositions
    return egress.Bounds(seconds=options.http_timeout, bytes=options.payload_limit)
