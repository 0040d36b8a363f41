"""Call a function until there is an answer, and have it run once.

    client.py FUNCTION INPUT KEY

An answer can get lost on its way, and the caller cannot tell that from a call that never
arrived. So it sends the call again, always under the same key: the server runs the first one and
answers the others with its outcome.
"""

import http.client
import json
import os
import sys
import time
import urllib.error
import urllib.request

ENDPOINT = os.environ.get("FUNCFLOW_ENDPOINT", "http://127.0.0.1:7070")
TRIES = 6
#: Worth another try: too many calls at the moment, or a part of the server is away.
AGAIN = (429, 502, 503, 504)


def note(text):
    print(text, file=sys.stderr)


def call(function, value, key):
    """The execution, ended."""
    body = json.dumps({"function_id": function, "input": value}).encode()
    headers = {"Content-Type": "application/json", "Idempotency-Key": key}
    pause = 0.1
    for _ in range(TRIES):
        wait = pause
        request = urllib.request.Request(ENDPOINT + "/v1/executions", body, headers)
        try:
            with urllib.request.urlopen(request, timeout=90) as answer:
                execution = json.load(answer)
            if answer.status != 202:
                return execution
            note("it still runs; asking again")
        except urllib.error.HTTPError as exc:
            error = json.load(exc)["error"]
            if exc.code not in AGAIN:
                sys.exit(f"{error['message']}\n{error['hint']}")
            wait = float(exc.headers.get("Retry-After", pause))
            note(f"{error['message']}; trying again in {wait:g} s")
        except (OSError, http.client.HTTPException) as exc:
            note(f"no answer ({exc}); trying again")
        time.sleep(wait)
        pause *= 2
    sys.exit(f"no answer after {TRIES} tries; the key {key} may still be used to ask again")


def main():
    function, value, key = sys.argv[1:]
    execution = call(function, json.loads(value), key)
    print(execution["result"])
    return 0 if execution["state"] == "succeeded" else 1


if __name__ == "__main__":
    sys.exit(main())
