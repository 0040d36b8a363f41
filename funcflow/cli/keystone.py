"""Requests on a Keystone session, as part of the ``openstack`` command.

Keystone's own packages are not needed by anything else, so only this module and
:mod:`funcflow.cli.plugin` import them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

import requests
import urllib3.exceptions
from keystoneauth1 import adapter
from keystoneauth1 import exceptions as keystone_exceptions

from funcflow.cli import faults
from funcflow.cli.transport import CHUNK, SERVICE_TYPE, Body


class KeystoneAnswer:
    """An answer of the ``requests`` library."""

    def __init__(self, response: requests.Response) -> None:
        self.status = response.status_code
        self._response = response

    def header(self, name: str) -> str | None:
        value: str | None = self._response.headers.get(name)
        return value

    def chunks(self) -> Iterator[bytes]:
        try:
            # NOTE: read1 returns what has arrived; iter_content would wait for a whole chunk.
            while chunk := self._response.raw.read1(CHUNK, decode_content=True):
                yield chunk
        except (urllib3.exceptions.HTTPError, OSError) as exc:
            raise faults.Disconnected(f"the answer broke off: {exc!r}") from exc

    def __enter__(self) -> KeystoneAnswer:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._response.close()


class KeystoneTransport:
    """Finds the endpoint in the catalog (or as overridden) and adds the token.

    :param session: with its adapter's service type, region and interface
    """

    def __init__(self, session: adapter.Adapter) -> None:
        self._session = session

    def request(
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str],
        body: Body | bytes | None = None,
    ) -> KeystoneAnswer:
        try:
            # Not logged: bodies carry code and inputs. Not redirected: a POST must stay one.
            response = self._session.request(
                path,
                method,
                headers=dict(headers),
                data=body,
                stream=True,
                raise_exc=False,
                redirect=False,
                log=False,
            )
        except keystone_exceptions.EndpointNotFound as exc:
            raise faults.ClientError(
                f"the catalog has no {SERVICE_TYPE} endpoint",
                hint="Register one, or name the server with --os-endpoint.",
            ) from exc
        except keystone_exceptions.ConnectFailure as exc:
            raise faults.Unreachable(_place(exc), _root(exc)) from exc
        except keystone_exceptions.ClientException as exc:
            raise faults.ClientError(
                f"Keystone does not let you in: {exc}",
                hint="Check user, password, project and their domains.",
            ) from exc
        return KeystoneAnswer(response)


def _place(exc: Exception) -> str:
    """The address in what keystoneauth says: asking it for the endpoint would fail again."""
    found = re.search(r"https?://[^\s:/]+(:\d+)?", str(exc))
    return found[0] if found else "Keystone"


def _root(exc: BaseException) -> BaseException:
    """What the network said, below what each library made of it."""
    while cause := exc.__cause__ or exc.__context__:
        exc = cause
    return exc
