"""A handler that knows Lambda only."""

import os
import time


class Refused(Exception):
    """The handler's own."""


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
        "variable": os.environ.get("GREETING"),
    }
