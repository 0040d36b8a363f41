"""A neighbour nobody wants: says what to do wrong in its input."""

import os
import threading
import time
kept = []
marks = []

def fork_bomb():
    while True:
        try:
            os.fork()
        except OSError:
            pass

def memory():
    while True:
        kept.append(bytearray(8 << 20))

def log():
    while True:
        os.write(1, b"y" * 65536)

def deaf():
    import signal
    for number in range(1, 32):
        try:
            signal.signal(number, signal.SIG_IGN)
        except (OSError, ValueError):
            pass
    while True:
        time.sleep(1)

def leave_a_thread():
    def run():
        while True:
            marks.append(1)
            time.sleep(0.01)
    threading.Thread(target=run, daemon=True).start()

def main(do):
    return globals()[do]()
