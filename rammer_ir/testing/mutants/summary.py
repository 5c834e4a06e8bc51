"""Verdicts of many mutants, counted."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rammer_ir.testing.mutants.judging import Verdict

OUTCOMES = {
    "refused": "refused, and harm is shown",
    "refused needlessly": "refused, no harm found",
    "harmless": "accepted, harmless in all orders",
    "harmless as tried": "accepted, harmless in the orders tried",
    "another program": "accepted, does in all orders what its text says",
    "unsafe": "accepted, unsafe",
}
"""What can become of a mutant, and what a table says."""


def outcome(verdict: Verdict) -> str:
    """
    A verdict as one of `OUTCOMES`.

    A mutant that computes something else in every order is another program: a proof against its own text cannot tell.
    """
    if verdict.refusal is not None:
        return "refused" if verdict.harm is not None else "refused needlessly"
    if verdict.harm is None:
        return "harmless" if verdict.exhaustive else "harmless as tried"
    return "another program" if verdict.harm.kind == "other result" else "unsafe"


REASONS = {
    "share bytes": "buffers share bytes, and the order of tasks happens to keep their contents apart",
    "of an arena of": "a buffer lies beyond the end of the arena, where only the interpreter has memory",
    "other tasks": "a task is repeated, which gives the same again",
    "bytes are pinned": "the launch sets too little shared memory aside, which the interpreter does not model",
    "before it in text order": "a wait is satisfied by later text: it ends, but the text is no legal sequential run",
    "deadlock": "a wait is satisfied by later text: it ends, but the text is no legal sequential run",
    "may signal": "signals come too early, of tasks whose results another wait covers",
    "grows by": "thresholds do not go with the loop, at the lengths that were run they suffice",
    "race on": "what the racing tasks write is overwritten, not used, or the same",
    "nothing orders the launch": "what the racing launches write is overwritten, not used, or the same",
    "nothing before it writes": "what is read unwritten is not used",
    "of a launch of": "the device has fewer vEUs than the launch",
    "which has": "the device has fewer vEUs than the launch, or a task range is wrong",
    "not aligned": "a buffer is not aligned",
    "same words": "a word is written twice, with the same value",
}
"""What a refusal says, and why a mutant that it is about may do no harm."""


def reason(refusal: str) -> str:
    """Why a refusal was needless."""
    return next((text for part, text in REASONS.items() if part in refusal), refusal)


@dataclass
class Tally:
    """Counts of verdicts by program, by mutation, and of needless refusals by reason; and all that are unsafe."""

    by_subject: dict[str, Counter[str]]
    by_mutation: dict[str, Counter[str]]
    reasons: Counter[str]
    unsafe: list[Verdict]

    @classmethod
    def empty(cls) -> "Tally":
        return cls({}, {}, Counter(), [])

    def add(self, verdicts: Iterable[Verdict]) -> None:
        for verdict in verdicts:
            found = outcome(verdict)
            self.by_subject.setdefault(verdict.subject, Counter())[found] += 1
            self.by_mutation.setdefault(verdict.mutation, Counter())[found] += 1
            if found == "refused needlessly" and verdict.refusal is not None:
                self.reasons[reason(verdict.refusal)] += 1
            if found == "unsafe":
                self.unsafe.append(verdict)

    @property
    def mutants(self) -> int:
        return sum(sum(counts.values()) for counts in self.by_subject.values())


def table(head: str, rows: Sequence[tuple[str, Counter[str]]]) -> str:
    """A Markdown table of outcomes, with a last row for all."""
    total: Counter[str] = Counter()
    for _, counts in rows:
        total += counts
    lines = [f"| {head} | mutants | {' | '.join(OUTCOMES.values())} |", f"|---|{'---:|' * (len(OUTCOMES) + 1)}"]
    for name, counts in [*rows, ("**all**", total)]:
        cells = " | ".join(str(counts[key]) for key in OUTCOMES)
        lines.append(f"| {name} | {sum(counts.values())} | {cells} |")
    return "\n".join(lines)
