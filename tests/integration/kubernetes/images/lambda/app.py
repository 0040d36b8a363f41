"""A handler that knows Lambda only."""

import os
import time
import urllib.request


class Refused(Exception):
    """The handler's own."""


def learn(secret):
    """The execution's id, as the metadata service has it."""
    url = os.environ["FUNCFLOW_METADATA_URL"]
    headers = {"X-Funcflow-Invocation": secret, "X-Funcflow-Token-TTL-Seconds": "60"}
    with urllib.request.urlopen(
        urllib.request.Request(f"{url}/token", method="PUT", headers=headers)
    ) as answer:
        headers = {"X-Funcflow-Token": answer.read().decode()}
    with urllib.request.urlopen(
        urllib.request.Request(f"{url}/execution_id", headers=headers)
    ) as answer:
        return answer.read().decode()


def handler(event, context):
    print("called")
    end = time.process_time() + (0.07 if event == 7 else 0)
    while time.process_time() < end:
        pass
    if event == "fail":
        raise Refused("no, thank you")
    if event == "nap":
        time.sleep(60)
    if event == "die":
        os._exit(3)
    return {
        "event": event,
        "request": context.aws_request_id,
        "time_left": context.get_remaining_time_in_millis() > 0,
        "uid": os.getuid(),
        "learned": learn(context.client_context.custom["funcflow_invocation"]),
        "variable": os.environ.get("GREETING"),
    }
