"""Whether a mutant is refused by the proof, and whether it does harm in some order of its tasks."""

from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import SSAValue
from xdsl.utils.exceptions import VerifyException

from rammer_ir.context import new_context
from rammer_ir.dialects import block, vdevice
from rammer_ir.errors import RammerError, VerificationError
from rammer_ir.interpreters.element_types import Array
from rammer_ir.interpreters.interleaving.explore import TooManyStatesError
from rammer_ir.interpreters.interleavings import Finding, Interleavings, StuckError
from rammer_ir.passes.vdevice.verify_program import VerifyProgram
from rammer_ir.scheduling.program_form import programs_of
from rammer_ir.testing.mutants.sites import Mutation, Surgery

FEW_STATES = 150
"""A program with no more is explored at once; a race makes more, and is found sooner by a search."""

MOST_STATES = 1_500
"""Programs with more are not explored, but searched."""


@dataclass(frozen=True)
class Verdict:
    """
    What became of a mutant.

    `refusal` is the proof's message, None if it accepted. `harm` is how the mutant goes wrong in some order, None if it
    does what the original does: in all orders if `exhaustive`, else in those that were tried.
    """

    subject: str
    mutation: str
    change: str
    refusal: str | None
    harm: Finding | None
    exhaustive: bool

    @property
    def unsafe(self) -> bool:
        """Whether the proof accepted what does harm."""
        return self.refusal is None and self.harm is not None


class Subject:
    """
    A program that is proved, for which mutants are judged.

    Its module is changed while a mutant is judged, and lacks kernel bodies, which no schedule depends on. `lengths` are
    the run-time lengths to run it with, each a mapping from name to number. Raises VerificationError if the program is
    refused, and AssertionError if it does not do in every order what its text does.
    """

    def __init__(self, name: str, module: ModuleOp, lengths: Sequence[Mapping[str, int]] = ({},)) -> None:
        self.name = name
        self._context: Context = new_context()
        self._module = module.clone()
        for op in [op for op in self._module.ops if isinstance(op, block.BodyOp)]:
            op.detach()
            op.erase()
        self._program = next(programs_of(self._module))
        self._prove()
        self._seen = {str(self._program)}
        self._originals = [Interleavings(self._module, chosen, self._entry) for chosen in lengths]
        self._expected = [original.reference() for original in self._originals]
        for original in self._originals:
            found, _ = _search(original, seed=0)
            assert found is None, f"{name}: {found}"

    @property
    def tasks(self) -> int:
        """The most tasks that a run of the program has."""
        return max(len(original.tasks.tasks) for original in self._originals)

    def judge(self, name: str, mutation: Mutation, seed: int) -> Verdict | None:
        """
        A mutant's verdict.

        None where the mutation finds nothing to change, where what it makes is no program, or was judged before.
        """
        mutant = self._program.clone()
        change = mutation(Surgery(mutant, np.random.default_rng(seed)))
        text = str(mutant)
        if change is None or text in self._seen or not _declares_first(mutant):
            return None
        self._seen.add(text)
        with self._instead(mutant):
            try:
                mutant.verify()
            except VerifyException:
                return None
            refusal = self._refusal()
            harm, exhaustive = self._harm(seed)
        return Verdict(self.name, name, change, refusal, harm, exhaustive)

    @property
    def _entry(self) -> str:
        return self._program.sym_name.data

    def _prove(self) -> None:
        VerifyProgram().apply(self._context, self._module)

    def _refusal(self) -> str | None:
        try:
            self._prove()
        except VerificationError as error:
            return str(error)
        return None

    @contextmanager
    def _instead(self, mutant: vdevice.ProgramOp) -> Generator[None]:
        """The module with the mutant in the place of the program."""
        module = self._module.body.block
        self._program.detach()
        module.add_op(mutant)
        try:
            yield
        finally:
            mutant.detach()
            module.add_op(self._program)

    def _harm(self, seed: int) -> tuple[Finding | None, bool]:
        everywhere = True
        for original, expected in zip(self._originals, self._expected, strict=True):
            try:
                runs = Interleavings(self._module, original.lengths, self._entry, unused=original.unused)
            except (RammerError, KeyError, IndexError) as error:
                return Finding("program", "none", f"cannot be run: {error}"), True
            found, exhaustive = _search(runs, seed)
            everywhere &= exhaustive
            found = found or _compare(runs, expected)
            if found is not None:
                return found, exhaustive
        return None, everywhere


def _declares_first(program: vdevice.ProgramOp) -> bool:
    """Whether every value stands before its uses in the text: else the text is no IR."""
    known: set[SSAValue] = set()
    for op in program.walk():
        if not known.issuperset(op.operands):
            return False
        known.update(op.results)
        known.update(argument for region in op.regions for block_ in region.blocks for argument in block_.args)
    return True


def _search(runs: Interleavings, seed: int) -> tuple[Finding | None, bool]:
    """The first order that does not do what the text does, and whether all were looked at."""
    try:
        return runs.explore(FEW_STATES), True
    except TooManyStatesError:
        found = runs.search(seed, runs=2, delays=8)
    if found is not None:
        return found, False
    try:
        return runs.explore(MOST_STATES), True
    except TooManyStatesError:
        return runs.search(seed), False


def _compare(runs: Interleavings, expected: list[Array]) -> Finding | None:
    """Whether the text itself does something else than the original's."""
    try:
        found = runs.reference()
    except StuckError as error:
        return Finding("deadlock", "text", str(error))
    if all(np.array_equal(one, other) for one, other in zip(expected, found, strict=True)):
        return None
    return Finding("other result", "text", "in every order the outputs are others than those of the original")


__all__ = ["MOST_STATES", "Subject", "Verdict"]
