"""Some of ONNX's tests, as `benchmarks/conformance.py` runs all: they pass, unless the page says that they do not."""

import re
from pathlib import Path

import pytest

from rammer_ir.testing.conformance import Case, conformance_cases, run_case

PAGE = Path(__file__).parents[2] / "docs" / "conformance.md"
EVERY = 90
"""One test in so many is run."""


def _known_failures() -> set[str]:
    return set(
        re.findall(r"^\| (test_\w+) \| (?:unsupported|failed) \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    )


def _sample() -> list[Case]:
    return sorted(conformance_cases(["node"]), key=lambda case: case.name)[::EVERY]


@pytest.mark.parametrize("case", _sample(), ids=lambda case: case.name)
@pytest.mark.filterwarnings("ignore")
def test_case(case: Case) -> None:
    outcome = run_case(case)
    has_failed = outcome.verdict in ("unsupported", "failed")
    assert has_failed == (case.name in _known_failures()), outcome
