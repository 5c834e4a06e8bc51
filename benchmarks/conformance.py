"""
ONNX's own backend tests: which of them pass, and which of those are computed by compiled programs alone.

    python benchmarks/conformance.py [PATTERN ...] [--kinds node simple] [--device CPU] [--jobs 2] [--timeout 120]
                                     [--state FILE] [--json FILE] [--docs docs/conformance.md] [--commit HASH]

A test runs if one of the patterns (regular expressions) is found in its name; all do without patterns. Every test has a
time limit. With `--state`, outcomes are added to a file line by line, and a run that was cut off goes on with the tests
that are not in it. Ends with exit code 1 if a test fails, or takes too long.
"""

import argparse
import json
import re
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import cast

from rammer_ir.files import write_text_aside
from rammer_ir.testing.conformance import KINDS, VERDICTS, Case, Outcome, conformance_cases, run_case
from rammer_ir.testing.conformance_page import conformance_page

FORK = get_context("fork")
"""Workers share the tests, which take long to make."""


class Worker:
    """A process that runs one test after the other."""

    def __init__(self, cases: Sequence[Case], device: str) -> None:
        self.connection, theirs = FORK.Pipe()
        self.process: BaseProcess = FORK.Process(target=work, args=(theirs, cases, device), daemon=True)
        self.process.start()
        theirs.close()
        self.number = -1
        self.started = 0.0

    def begin(self, number: int) -> None:
        self.number, self.started = number, time.monotonic()
        self.connection.send(number)

    def stop(self) -> None:
        self.process.kill()
        self.process.join()
        self.connection.close()


def work(connection: Connection, cases: Sequence[Case], device: str) -> None:
    """What a worker does: takes numbers of tests and gives outcomes, until there are no more."""
    import warnings

    warnings.simplefilter("ignore")
    while True:
        try:
            case = cases[connection.recv()]
        except EOFError:
            return
        start = time.perf_counter()
        outcome = run_case(case, device)
        connection.send(replace(outcome, seconds=time.perf_counter() - start))


def run_all(cases: Sequence[Case], device: str, jobs: int, limit: float) -> Iterator[Outcome]:
    """The outcome of every test as it gets ready; a worker that takes too long, or ends, is replaced."""
    pending = iter(range(len(cases)))
    workers = [Worker(cases, device) for _ in range(min(jobs, len(cases)))]
    idle = list(workers)
    busy: dict[Connection, Worker] = {}
    while True:
        while idle and (number := next(pending, None)) is not None:
            worker = idle.pop()
            worker.begin(number)
            busy[worker.connection] = worker
        if not busy:
            break
        for connection in cast("list[Connection]", wait(list(busy), timeout=1.0)):
            worker = busy.pop(connection)
            try:
                outcome = cast("Outcome", connection.recv())
                idle.append(worker)
            except (EOFError, ConnectionError):
                worker.stop()
                outcome = lost(cases[worker.number], "the process ended")
                idle.append(Worker(cases, device))
            yield outcome
        for worker in [item for item in busy.values() if time.monotonic() - item.started > limit]:
            del busy[worker.connection]
            worker.stop()
            idle.append(Worker(cases, device))
            yield lost(cases[worker.number], f"took longer than {limit:.0f} s")
    for worker in idle:
        worker.stop()


def lost(case: Case, reason: str) -> Outcome:
    return Outcome(case.kind, case.name, case.op, tuple(sorted(case.types)), "failed", reason)


def read_state(path: Path | None) -> list[Outcome]:
    """The outcomes in a file of an earlier run; a last line that is cut off does not count."""
    outcomes: list[Outcome] = []
    for line in path.read_text().splitlines() if path is not None and path.exists() else ():
        try:
            fields = json.loads(line)
        except json.JSONDecodeError:
            continue
        outcomes.append(Outcome(**fields | {name: tuple(fields[name]) for name in ("types", "host_ops")}))
    return outcomes


def summary(outcomes: Sequence[Outcome]) -> str:
    """A line for each kind."""
    lines: list[str] = []
    for kind in KINDS:
        counts = Counter(item.verdict for item in outcomes if item.kind == kind)
        if counts:
            numbers = ", ".join(f"{counts[verdict]} {verdict}" for verdict in VERDICTS)
            passed = counts["compiled"] + counts["host"]
            lines.append(f"{kind}: {passed} of {counts.total()} pass: {numbers}")
    return "\n".join(lines)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("patterns", nargs="*", metavar="PATTERN")
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=KINDS)
    parser.add_argument("--device", default="CPU")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--timeout", type=float, default=120.0, help="seconds for a test")
    parser.add_argument("--state", type=Path, help="keep outcomes here, and go on from what it holds")
    parser.add_argument("--json", type=Path, help="write all outcomes here")
    parser.add_argument("--docs", type=Path, help="write the page on conformance here")
    parser.add_argument("--commit", default="", help="what the page says that it is of")
    return parser.parse_args()


def main() -> int:
    options = parse()
    outcomes = read_state(options.state)
    known = {(item.kind, item.name) for item in outcomes}
    cases = [
        case
        for case in conformance_cases(options.kinds)
        if (case.kind, case.name) not in known
        and (not options.patterns or any(re.search(pattern, case.name) for pattern in options.patterns))
    ]
    print(f"{len(cases)} tests" + (f", {len(known)} known" if known else ""), flush=True)
    start = time.monotonic()
    for number, outcome in enumerate(run_all(cases, options.device, options.jobs, options.timeout), 1):
        outcomes.append(outcome)
        if options.state is not None:
            with options.state.open("a") as file:
                file.write(json.dumps(asdict(outcome)) + "\n")
        if outcome.verdict in ("unsupported", "failed"):
            print(f"{outcome.verdict} {outcome.kind}/{outcome.name}: {outcome.reason[:200]}", flush=True)
        if number % 100 == 0:
            print(f"-- {number} of {len(cases)} in {time.monotonic() - start:.0f} s", flush=True)
    outcomes.sort(key=lambda item: (KINDS.index(item.kind), item.name))
    print(summary(outcomes))
    if options.json is not None:
        with write_text_aside(options.json) as file:
            file.write(json.dumps([asdict(item) for item in outcomes], indent=1) + "\n")
    if options.docs is not None:
        with write_text_aside(options.docs) as file:
            file.write(conformance_page(outcomes, options.commit, options.device))
    return int(any(item.verdict == "failed" for item in outcomes))


if __name__ == "__main__":
    sys.exit(main())
