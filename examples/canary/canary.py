"""Give a new version of a function a share of an alias's calls, and decide by what comes of it.

    canary.py ALIAS FILE [--share 0.2] [--calls 50] [--worse 0.05]

Deploys FILE as the function behind ALIAS, makes a version of it, sends it a share of the calls,
and looks at how the calls of both versions ended. Not much worse than before: the alias points to
it from now on. Else: the alias is as it was. In real life the calls come from your users; here
the script makes them.
"""

import argparse
import collections
import json
import os
import pathlib
import sys
import urllib.error
import urllib.request

ENDPOINT = os.environ.get("FUNCFLOW_ENDPOINT", "http://127.0.0.1:7070")
BASKET = [{"price": 3, "count": 4}, {"price": 2, "count": 6}]


def api(method, path, body=None):
    """The answer's JSON; errors show what the server said."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(ENDPOINT + path, data, method=method)
    request.add_header("Content-Type", "application/json")
    try:
        with urllib.request.urlopen(request) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as exc:
        error = json.load(exc)["error"]
        sys.exit(f"{method} {path}: {error['message']}\n{error['hint']}")


def deploy(function, file):
    """Change the function's code and make a version of it; its number."""
    module = function["entry"].partition(".")[0]
    print(f"{file.name} becomes {module} of function {function['name']}")
    api("PATCH", f"/v1/functions/{function['id']}", {"source": file.read_text()})
    made = api("POST", f"/v1/functions/{function['id']}/versions", {"description": file.name})
    return made["version_number"]


def observe(alias, calls):
    """Call the alias; {version: (failed, all)}."""
    seen = collections.defaultdict(lambda: [0, 0])
    for _ in range(calls):
        body = {"function_alias": alias, "input": {"basket": BASKET}}
        execution = api("POST", "/v1/executions", body)
        counts = seen[execution["function_version"]]
        counts[0] += execution["state"] != "succeeded"
        counts[1] += 1
    return {version: tuple(counts) for version, counts in sorted(seen.items())}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("alias")
    parser.add_argument("file", type=pathlib.Path)
    parser.add_argument("--share", type=float, default=0.2, help="of the calls, for the new one")
    parser.add_argument("--calls", type=int, default=50, help="how many to look at")
    parser.add_argument("--worse", type=float, default=0.05, help="failure rate it may be worse by")
    options = parser.parse_args()

    alias = api("GET", f"/v1/aliases/{options.alias}")
    before = alias["function_version"]
    new = deploy(api("GET", f"/v1/functions/{alias['function_id']}"), options.file)
    path = f"/v1/aliases/{alias['name']}"
    api("PATCH", path, {"weights": {str(new): options.share}})
    print(f"version {new} gets {options.share:.0%} of {alias['name']}, version {before} the rest")

    seen = observe(alias["name"], options.calls)
    for version, (failed, calls) in seen.items():
        print(f"version {version}: {failed} of {calls} calls failed")
    rates = {version: failed / calls for version, (failed, calls) in seen.items()}
    good = new in rates and rates[new] <= rates.get(before, 0.0) + options.worse
    api("PATCH", path, {"function_version": new if good else before, "weights": None})
    print(f"{alias['name']} points to version {new if good else before}")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
