"""funcflow's commands in the ``openstack`` command: ``openstack funcflow function list``.

Loaded by OpenStackClient through the entry point ``openstack.cli.extension``; the
commands are the entry points of ``openstack.funcflow.v1``. All of them start with
``funcflow``, so that they live beside those of python-qinlingclient.
"""

from __future__ import annotations

import argparse
import os
from typing import Any

from keystoneauth1 import adapter

from funcflow.cli.client import Client
from funcflow.cli.keystone import KeystoneTransport
from funcflow.cli.transport import SERVICE_TYPE

API_NAME = "funcflow"
API_VERSION_OPTION = "os_funcflow_api_version"
API_VERSIONS = ("1",)
DEFAULT_API_VERSION = "1"


def make_client(instance: Any) -> Client:
    """Called by OpenStackClient when a command first needs the server."""
    session = adapter.Adapter(
        instance.session,
        service_type=SERVICE_TYPE,
        interface=instance.interface,
        region_name=instance.region_name,
        endpoint_override=instance.get_configuration().get("funcflow_endpoint") or None,
    )
    return Client(KeystoneTransport(session))


def build_option_parser(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    """Called by OpenStackClient for the global options we add."""
    parser.add_argument(
        "--os-funcflow-api-version",
        metavar="<funcflow-api-version>",
        default=os.environ.get("OS_FUNCFLOW_API_VERSION", DEFAULT_API_VERSION),
        help="funcflow API version (Env: OS_FUNCFLOW_API_VERSION)",
    )
    parser.add_argument(
        "--funcflow-endpoint",
        metavar="<url>",
        default=os.environ.get("FUNCFLOW_ENDPOINT", ""),
        help="Address of funcflow, instead of the catalog's (Env: FUNCFLOW_ENDPOINT)",
    )
    return parser
