"""Takes of the node what is not its own."""

import time


def fill(path, size):
    """Write that much, and wait for what comes of it."""
    with open(path, "wb") as file:
        file.write(bytes(size))
    print("full", flush=True)
    time.sleep(200)
