"""Work in steps, tell about each, and stop while there is time to say how far it came."""

import time


def main(steps=5, seconds=0.5, *, context):
    """Return {"done", "of"}; call again with the rest when ``done`` is less."""
    for step in range(1, steps + 1):
        if context.remaining_time() < 2 * seconds:
            print(f"{context.remaining_time():.1f} s left: stopping before step {step}")
            return {"done": step - 1, "of": steps}
        time.sleep(seconds)
        print(f"step {step} of {steps}")
    return {"done": steps, "of": steps}
