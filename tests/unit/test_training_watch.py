"""Processes that watch each other: what one sees of another, and how it ends then."""

import subprocess
import sys

import pytest

SCRIPT = """
import sys
import time

from rammer_ir.training import watch

watch.BEAT, watch.PATIENCE = 0.01, 0.3
case = sys.argv[1]


class Store(dict):
    def clone(self):
        return self

    def add(self, key, number):
        if case == "no store" and len(self) > 1:
            raise RuntimeError("connection reset")
        if case == "alive" and key == "count 1":
            self[key] = self.get(key, 0) + 1
        self[key] = self.get(key, 0) + number
        return self[key]

    def check(self, keys):
        return all(key in self for key in keys)

    def set(self, key, value):
        self[key] = value.encode()


store = Store()
if case == "failed":
    store.set("failed 1", "out of memory")
if case == "done":
    store.set("done 1", "")
found = watch.Watch(store, 0, 2, lambda rank: f"rank {rank} (stage {rank})")
found.start()
time.sleep(1.5 if case in ("alive", "done") else 60)
found.stop()
print("well")
"""


@pytest.mark.parametrize(
    ("case", "words"),
    [
        ("silent", "rank 0 (stage 0) stops: rank 1 (stage 1) has ended: no sign of life"),
        ("failed", "rank 0 (stage 0) stops: rank 1 (stage 1) failed: out of memory"),
        ("no store", "rank 0 (stage 0) stops: rank 0 (stage 0) has ended: the store that it held has gone"),
        ("alive", None),
        ("done", None),
    ],
)
def test_watch(case: str, words: str | None) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", SCRIPT, case], capture_output=True, text=True, timeout=50, check=False
    )
    if words is None:
        assert (ended.returncode, ended.stdout, ended.stderr) == (0, "well\n", "")
        return
    assert ended.returncode == 1
    assert ended.stderr.startswith(f"rammer: error: {words}")
    assert ended.stderr.count("\n") == 1
