"""
Breaks schedules on purpose and judges what the proof says to it: `python benchmarks/schedule_mutants.py`.

Writes docs/results/schedule-mutants.md, again after every program. Needs no GPU; about 25 minutes on two idle cores.
"""

import argparse
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

import numpy as np

from rammer_ir.files import write_text_aside
from rammer_ir.testing.mutants.catalogue import MUTATIONS
from rammer_ir.testing.mutants.judging import MOST_STATES, Verdict
from rammer_ir.testing.mutants.subjects import subjects
from rammer_ir.testing.mutants.summary import Tally, table

ROOT = Path(__file__).parents[1]
PROGRAMS = ROOT / "tests" / "programs"
RESULTS = ROOT / "docs" / "results" / "schedule-mutants.md"
ROUNDS = 12
"""Mutants of one mutation of one program, at most."""


def judge_all(name: str, random: int, limit: int) -> tuple[list[Verdict], float]:
    """Verdicts on mutants of one program, and the seconds of CPU time that it took."""
    start = time.process_time()
    subject = subjects(PROGRAMS, random)[name](name)
    verdicts: list[Verdict] = []
    generator = np.random.default_rng(0)
    for seed in range(ROUNDS):
        for mutation in generator.permutation(list(MUTATIONS)).tolist():
            verdict = subject.judge(mutation, MUTATIONS[mutation], seed)
            if verdict is not None:
                verdicts.append(verdict)
            if len(verdicts) >= limit:
                return verdicts, time.process_time() - start
    return verdicts, time.process_time() - start


def page(tally: Tally, seconds: float) -> str:
    """The results as Markdown."""
    kinds = {name: name.split(",")[0] if name.startswith("random") else name for name in tally.by_subject}
    grouped: dict[str, Counter[str]] = {}
    for name, counts in tally.by_subject.items():
        label = (
            f"{len([n for n in kinds if kinds[n] == kinds[name]])} random programs" if kinds[name] == "random" else name
        )
        grouped.setdefault(label, Counter()).update(counts)
    reasons = "\n".join(f"- {count}: {text}" for text, count in tally.reasons.most_common())
    unsafe = "\n".join(f"- {verdict}" for verdict in tally.unsafe) or "None."
    return f"""# Broken schedules

`python benchmarks/schedule_mutants.py`: {tally.mutants} different mutants of {len(tally.by_subject)} programs, each
proved before it was broken; {seconds:.0f} s of CPU time. A mutant is a program with one thing wrong. `verify-program`
refuses it or accepts it; independently, the interpreter runs it in all orders that its waits allow (programs with more
than {MOST_STATES} states: in random and adversarial ones), with poisoned memory, and compares its results with those of
its text order and of the original: see [how](../proof.md).

- No program was refused before it was broken, and no unsafe mutant may be accepted.
- *Another program*: the mutation changed what the text means (a run reads another buffer, a step is repeated, another
  weight is pinned). It does in all orders what its text says, which is what `verify-program` proves; whether the text
  is the model is what the tests between the levels say.
- *Refused, no harm found*: the proof goes by boxes and text order, and knows no values. By reason, below.

## By mutation

{table("mutation", sorted(tally.by_mutation.items()))}

## By program

{table("program", sorted(grouped.items()))}

## Refusals without harm, by reason

{reasons or "None."}

## Unsafe mutants accepted

{unsafe}
"""


def main(arguments: Sequence[str] | None = None) -> None:
    """Judges the mutants of all programs and writes the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--random", type=int, default=60, help="random programs of each kind (default 60)")
    parser.add_argument("--each", type=int, default=90, help="mutants of a random program at most (default 90)")
    parser.add_argument("--models", type=int, default=50, help="mutants of any other program at most (default 50)")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--output", type=Path, default=RESULTS)
    options = parser.parse_args(arguments)
    tally, seconds = Tally.empty(), 0.0
    with ProcessPoolExecutor(options.processes) as pool:
        names = sorted(subjects(PROGRAMS, options.random), key=lambda name: not name.startswith("random"))
        limits = {name: options.each if name.startswith("random") else options.models for name in names}
        waiting = {pool.submit(judge_all, name, options.random, limits[name]): name for name in names}
        for done in as_completed(waiting):
            verdicts, taken = done.result()
            seconds += taken
            tally.add(verdicts)
            with write_text_aside(options.output) as file:
                file.write(page(tally, seconds))
            print(f"{waiting[done]}: {len(verdicts)} mutants in {taken:.0f} s, {tally.mutants} in all", flush=True)
    if tally.unsafe:
        raise SystemExit(f"{len(tally.unsafe)} unsafe mutants were accepted")


if __name__ == "__main__":
    main()
