"""Schedules broken on purpose: none that is unsafe is accepted. `benchmarks/schedule_mutants.py` judges many more."""

from collections import Counter
from pathlib import Path

import pytest

from rammer_ir.passes.vdevice.verify_program import VerifyProgram
from rammer_ir.testing.mutants.catalogue import MUTATIONS
from rammer_ir.testing.mutants.judging import Subject, Verdict
from rammer_ir.testing.mutants.subjects import subjects
from rammer_ir.testing.mutants.summary import Tally, outcome, reason, table

SUBJECTS = subjects(Path(__file__).parents[1] / "programs", random=4)
SAMPLE = [
    "recurrence",
    "convolutions, graph",
    "convolutions, persistent",
    "convolutions, events",
    *(f"random, events {k}" for k in range(2)),
]


def judged(subject: Subject, seeds: range = range(1)) -> list[Verdict]:
    verdicts = [subject.judge(name, mutation, seed) for seed in seeds for name, mutation in MUTATIONS.items()]
    return [verdict for verdict in verdicts if verdict is not None]


@pytest.mark.parametrize("name", SAMPLE)
def test_no_unsafe_mutant_is_accepted(name: str) -> None:
    verdicts = judged(SUBJECTS[name](name))
    counts = Counter(outcome(verdict) for verdict in verdicts)
    assert counts["unsafe"] == 0, [verdict for verdict in verdicts if verdict.unsafe]
    assert counts["refused"] >= 5
    assert counts["harmless"] >= 1


@pytest.mark.parametrize("number", range(2))
def test_what_is_refused_as_a_race_is_one(number: int) -> None:
    name = f"random, barriers {number}"
    races = [verdict for verdict in judged(SUBJECTS[name](name)) if "race on" in (verdict.refusal or "")]
    assert len(races) >= 3
    for verdict in races:
        assert verdict.harm is not None, verdict


def accept(*_: object) -> None:
    """Proves nothing."""


def test_a_proof_that_accepts_everything_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    name = "random, events 2"
    subject = SUBJECTS[name](name)
    monkeypatch.setattr(VerifyProgram, "apply", accept)
    tally = Tally.empty()
    tally.add(judged(subject))
    assert len(tally.unsafe) >= 5
    assert tally.mutants == sum(sum(counts.values()) for counts in tally.by_mutation.values())
    assert f"| {tally.mutants} |" in table("mutation", sorted(tally.by_mutation.items()))


def test_a_mutant_is_judged_once() -> None:
    name = "random, barriers 0"
    subject = SUBJECTS[name](name)
    remove = MUTATIONS["remove a barrier"]
    verdicts = [subject.judge("remove a barrier", remove, seed) for seed in range(20)]
    assert 1 <= sum(verdict is not None for verdict in verdicts) <= 2


def test_reasons_are_known() -> None:
    assert "repeated" in reason("@k[0] runs 1 times, other tasks 2 times")
    assert reason("something else") == "something else"
