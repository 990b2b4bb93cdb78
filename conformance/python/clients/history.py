"""The history that a client leaves behind: one JSON line for each operation that has ended."""

import json
import signal
import threading
import time

now = time.monotonic_ns


class History:
    """Appends operations of one client; a line is in the file when the call returns."""

    def __init__(self, path, proc, group=None):
        self.file = open(path, 'a', buffering=1)
        self.base = {'proc': proc} | ({'group': group} if group else {})
        self.lock = threading.Lock()

    def write(self, kind, outcome, invoked, **more):
        line = json.dumps(self.base | {'f': kind, 'type': outcome, 'inv': invoked, 'ret': now()} | more)
        with self.lock:
            self.file.write(line + '\n')

    def sent(self, outcome, invoked, key, value, offset):
        self.write('send', outcome, invoked, mops=[{'send': [key, value, offset]}])

    def polled(self, invoked, records):
        self.write('poll', 'ok', invoked, mops=[{'poll': records}])


class Stop:
    """Becomes true when the process is asked to end."""

    def __init__(self):
        self.asked = False
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self.ask)

    def ask(self, *_):
        self.asked = True


def paced(rate, count, stop):
    """Counts up to `count`, `rate` per second, until asked to stop."""
    begin = time.monotonic()
    for number in range(count):
        if stop.asked:
            return
        ahead = number / rate - (time.monotonic() - begin)
        if ahead > 0.005:
            time.sleep(ahead)
        yield number
