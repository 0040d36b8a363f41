"""Well-behaved."""

import os
import time


def main(value=None):
    return {"value": value, "pid": os.getpid()}


def echo(value):
    return value


def slow(seconds):
    print("begun", flush=True)
    time.sleep(seconds)
    return "slept"


def say(text):
    print(text)


def burn(seconds):
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        pass
    return "burnt"


async def nap(seconds):
    import asyncio

    print(f"nap {seconds}")
    await asyncio.sleep(seconds)
    return seconds
