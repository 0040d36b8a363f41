"""Many runs at once in one worker."""

import asyncio
import time


def main(n, seconds):
    print("before", n)
    time.sleep(seconds)
    print("after", n)
    return n


async def task(n, seconds):
    print("before", n)
    await asyncio.sleep(seconds)
    print("after", n)
    return n
