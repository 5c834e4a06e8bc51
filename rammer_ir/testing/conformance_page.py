"""The page that says what is covered, from a run of all tests."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from rammer_ir.testing.conformance import KINDS, VERDICTS, Outcome

_NAMES: Final = {"node": "node", "light": "real (light)"}
_LONGEST_REASON: Final = 160


def conformance_page(outcomes: Sequence[Outcome], commit: str, device: str = "CPU") -> str:
    """The page in Markdown; `device` is that of the run, as ONNX names it."""
    lines = [
        "# Conformance",
        "",
        f"What becomes of ONNX 1.23's own backend tests on the {device} device. Written by `benchmarks/conformance.py "
        f"--docs`{f' at {commit}' if commit else ''}; not edited by hand.",
        "",
        "- `compiled`: right, and everything numeric was computed by compiled programs. What is known when a model is",
        "  specialised to its shapes and parameters is part of the program.",
        "- `host`: right; strings, sequences, optionals or shapes that depend on data were handled between programs.",
        "- `unsupported`: refused in one line. `failed`: anything else.",
        "",
        *_table("tests", outcomes, lambda item: [_NAMES.get(item.kind, item.kind)], order=_kind_order),
        "",
        "## By element type",
        "",
        "Node tests that have a tensor of the type among their inputs and outputs.",
        "",
        *_table("type", _of_nodes(outcomes), lambda item: list(item.types)),
        "",
        "## By op",
        "",
        "Node tests, those of an op's definition by other ops included.",
        "",
        *_table("op", _of_nodes(outcomes), lambda item: [f"`{item.op}`"]),
        "",
        "## What does not pass",
        "",
        *_failures(outcomes),
    ]
    return "\n".join(lines).rstrip() + "\n"


def _of_nodes(outcomes: Iterable[Outcome]) -> list[Outcome]:
    return [item for item in outcomes if item.kind == "node"]


def _kind_order(name: str) -> str:
    names = [_NAMES.get(kind, kind) for kind in KINDS]
    return str(names.index(name))


def _table(
    what: str,
    outcomes: Iterable[Outcome],
    groups: Callable[[Outcome], list[str]],
    order: Callable[[str], str] = str.lower,
) -> list[str]:
    counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for item in outcomes:
        for group in groups(item):
            counts[group][item.verdict] += 1
    rows = [f"| {what} | all | {' | '.join(VERDICTS)} |", "|---" * (2 + len(VERDICTS)) + "|"]
    for group in sorted(counts, key=order):
        numbers = [counts[group][verdict] for verdict in VERDICTS]
        rows.append(f"| {group} | {sum(numbers)} | {' | '.join(str(number or '') for number in numbers)} |")
    return rows


def _failures(outcomes: Iterable[Outcome]) -> list[str]:
    rows = ["| test | verdict | why |", "|---|---|---|"]
    missing = [item for item in outcomes if item.verdict in ("unsupported", "failed")]
    for item in sorted(missing, key=lambda item: (item.kind, item.name)):
        reason = item.reason.replace("|", "\\|").replace("<", "&lt;")[:_LONGEST_REASON]
        rows.append(f"| {item.name} | {item.verdict} | {reason} |")
    return rows if missing else ["Nothing."]
