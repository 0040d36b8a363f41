"""Asks the metadata service: as it should be done, and in every other way."""

import http.client
import os
import socket
import threading
import time
import urllib.parse

SECRET, TOKEN, TTL = "X-Funcflow-Invocation", "X-Funcflow-Token", "X-Funcflow-Token-TTL-Seconds"

left = {}
released = threading.Event()


def say(method, path, headers=(), body=None):
    """[status, text]; headers as pairs, so that one can come twice."""
    url = urllib.parse.urlsplit(os.environ["FUNCFLOW_METADATA_URL"])
    connection = http.client.HTTPConnection(url.hostname, url.port or 80, timeout=15)
    try:
        connection.putrequest(method, url.path + path, skip_host=any(n == "Host" for n, _ in headers))
        for name, value in headers:
            connection.putheader(name, value)
        connection.endheaders(body.encode() if body else None)
        answer = connection.getresponse()
        return [answer.status, answer.read().decode()]
    finally:
        connection.close()


def session(secret, ttl="60"):
    return say("PUT", "/token", [(SECRET, secret), (TTL, ttl)])


def learn(context):
    """All a run can know of itself."""
    return {
        "whole": context.metadata(),
        "id": context.execution_id,
        "configuration": context.configuration,
        "secrets": dict(context.secrets),
        "token": context.token(),
        "user": context.user,
        "roles": context.roles,
        "catalog": context.catalog,
        "credentials": context.metadata("credentials"),
        "name": context.metadata("function/name"),
        "environment": dict(os.environ),
    }


def ask(requests, context):
    """The answers to these, each ``[method, path, headers]``; ``SECRET`` and ``TOKEN`` in a value
    stand for the run's own."""
    own = {"SECRET": context.metadata_secret, "TOKEN": session(context.metadata_secret)[1]}
    return [
        say(method, path, [(name, own.get(value, value)) for name, value in headers], *body)
        for method, path, headers, *body in requests
    ]


def hold(context):
    """Tell the secret, and run until somebody releases it."""
    print(context.metadata_secret, flush=True)
    released.wait(20)
    return [context.metadata("execution_id"), context.execution_id]


def release(context):
    """Beside ``hold``, in the same worker."""
    try:
        return [context.metadata("execution_id"), context.execution_id]
    finally:
        released.set()


def hold_or_release(what, context):
    return hold(context) if what == "hold" else release(context)


def leave(context):
    """Leave a thread behind that asks on and on, until it gets no answer any more."""
    if "thread" in left:
        left["thread"].join(20)
        return left["refused"]
    token = session(context.metadata_secret)[1]

    def on() -> None:
        while say("GET", "/execution_id", [(TOKEN, token)])[0] == 200:
            time.sleep(0.02)  # within the rate
        again = session(context.metadata_secret)
        left["refused"] = [say("GET", "/execution_id", [(TOKEN, token)])[0], again[0]]

    left["thread"] = threading.Thread(target=on)
    left["thread"].start()
    return token


def flood(times, context):
    """How often the answers were what."""
    token = session(context.metadata_secret)[1]
    found = [say("GET", "/execution_id", [(TOKEN, token)])[0] for _ in range(times)]
    return {str(status): found.count(status) for status in set(found)}


def crowd(context):
    """Hold more connections than are served, without a word; then ask."""
    url = urllib.parse.urlsplit(os.environ["FUNCFLOW_METADATA_URL"])
    open_ = [
        http.client.HTTPConnection(url.hostname, url.port or 80, timeout=15) for _ in range(16)
    ]
    for connection in open_:
        connection.connect()
    for connection in open_:
        connection.close()
    return context.metadata("execution_id")


def learn_of(path, context):
    url = os.environ["FUNCFLOW_METADATA_URL"]
    return {"value": context.metadata(path), "id": context.execution_id, "url": url}


def knock(requests, port, context):
    """At the door of somebody else, on the same loopback."""
    os.environ["FUNCFLOW_METADATA_URL"] = f"http://127.0.0.1:{port}/funcflow/v1"
    try:
        return [say(*request) for request in requests]
    except OSError as exc:
        return type(exc).__name__


def dial(address):
    try:
        with socket.create_connection(address, timeout=5):
            return "connected"
    except OSError as exc:
        return type(exc).__name__
