"""
A program under other orders than that of its text: does it always do the same?

`Interleavings(module)` runs a program of the `vdevice` level with terms instead of numbers (see `interleaving.terms`),
or with the kernels' numbers, in an order of `interleaving.orders`; `explore` looks at all orders of a small program.
A `Finding` says in which order something went wrong, so that the run can be repeated:

    runs = Interleavings(module, lengths={"n": 4})
    finding = runs.search(seed=7)          # text order against random and adversarial ones
    finding = runs.explore(states=20_000)  # all of them; raises TooManyStates
    outputs = runs.run(random_order(seed=7), runs.numbers(inputs, weights))
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import cast

import numpy as np
from xdsl.dialects.builtin import ModuleOp
from xdsl.utils.symbol_table import SymbolTable

from rammer_ir.dialects import vdevice
from rammer_ir.errors import InvalidInputError, RammerError
from rammer_ir.interpreters.bindings import Inputs
from rammer_ir.interpreters.element_types import Array
from rammer_ir.interpreters.interleaving.explore import endings
from rammer_ir.interpreters.interleaving.kernels import KernelMemory
from rammer_ir.interpreters.interleaving.machine import Machine
from rammer_ir.interpreters.interleaving.orders import (
    Order,
    delaying_order,
    priority_order,
    random_order,
    text_order,
)
from rammer_ir.interpreters.interleaving.streams import program_tasks
from rammer_ir.interpreters.interleaving.tasks import Task
from rammer_ir.interpreters.interleaving.terms import TermMemory, Unused, unused_elements
from rammer_ir.interpreters.interleaving.values import Memory


class StuckError(RammerError):
    """No vEU of a program can go on, and not all are at their end."""


@dataclass(frozen=True)
class Finding:
    """A run that does not do what the text does: `kind` is "deadlock", "poison" or "race", `order` names the order."""

    kind: str
    order: str
    message: str


class Interleavings:
    """
    The runs of one program, for given run-time lengths; raises as `program_tasks` does.

    `unused` are the elements of boxes that kernels do not use; by default those that text order reads before anything
    writes them. Of a program that may be wrong, give those of the right one.
    """

    def __init__(
        self,
        module: ModuleOp,
        lengths: Mapping[str, int] | None = None,
        entry: str = "main",
        unused: Unused | None = None,
    ) -> None:
        program = SymbolTable(module).lookup(entry)
        if not isinstance(program, vdevice.ProgramOp):
            raise InvalidInputError(f"the module has no program @{entry}")
        self.module = module
        self.program = program
        self.lengths = dict(lengths or {})
        self.tasks = program_tasks(module, program, self.lengths)
        self.unused = unused_elements(program, self.tasks.tasks) if unused is None else unused

    def numbers(self, inputs: Inputs, weights: Mapping[str, Array]) -> KernelMemory:
        """Memory for a run with numbers: inputs by name or position, lengths not among them, and weights."""
        arrays: dict[str | int, Array] = {**cast("Mapping[str | int, Array]", inputs)}
        arrays.update({name: np.asarray(value) for name, value in self.lengths.items()})
        return KernelMemory(self.module, self.program, arrays, weights)

    def terms(self, seed: int = 0) -> TermMemory:
        """Memory for a run with terms, poisoned by a seed."""
        return TermMemory(self.program, seed, self.unused)

    def run(self, order: Order, memory: Memory) -> list[Array]:
        """The outputs of a run in this order; raises StuckError where it cannot end."""
        machine = Machine(self.tasks, memory)
        while ready := machine.ready():
            machine.step(order(ready))
        stuck = machine.stuck()
        if stuck:
            unit = stuck[0]
            what = str(unit.next) if isinstance(unit.next, Task) else f"a barrier on vEU {unit.veu}"
            raise StuckError(f"deadlock: {len(stuck)} vEUs cannot go on, one is at {what}")
        return memory.outputs()

    def reference(self) -> list[Array]:
        """The terms that the text means; raises StuckError where the text itself cannot be run."""
        return self.run(text_order, self.terms())

    def orders(self, seed: int, *, runs: int = 4, delays: int | None = None) -> Iterator[tuple[str, Order]]:
        """
        Orders by name: `runs` random ones, `runs` of random priorities, and each of the tasks delayed.

        With `delays`, only so many tasks, chosen by the seed, are.
        """
        tasks = len(self.tasks.tasks)
        for number in range(seed, seed + runs):
            yield f"random, seed {number}", random_order(number)
            yield f"priorities, seed {number}", priority_order(number, 2 * tasks)
        chosen = range(tasks)
        if delays is not None and delays < tasks:
            generator = np.random.default_rng(seed)
            chosen = sorted(generator.choice(tasks, delays, replace=False).tolist())
        for task in chosen:
            yield f"task {task} delayed", delaying_order(task)

    def search(self, seed: int = 0, *, runs: int = 4, delays: int | None = None) -> Finding | None:
        """The first order in which the program does not what its text means, or None if none was found."""
        expected = self.check_text()
        if isinstance(expected, Finding):
            return expected
        for name, order in self.orders(seed, runs=runs, delays=delays):
            try:
                outputs = self.run(order, self.terms())
            except StuckError as error:
                return Finding("deadlock", name, str(error))
            different = _difference(expected, outputs)
            if different is not None:
                return Finding("race", name, different)
        return None

    def explore(self, states: int = 20_000) -> Finding | None:
        """
        The same for every order there is, each looked at as far as it can make a difference.

        Raises TooManyStatesError for a program with more than so many states.
        """
        expected = self.check_text()
        if isinstance(expected, Finding):
            return expected
        for ending in endings(self.program, self.tasks, self.terms(), states):
            if ending is None:
                return Finding("deadlock", "some", "there is an order in which vEUs wait for ever")
            different = _difference(expected, list(ending))
            if different is not None:
                return Finding("race", "some", different)
        return None

    def check_text(self) -> Finding | list[Array]:
        """The terms that the text means; or that it cannot be run, or depends on what memory held before."""
        first, second = self.terms(0), self.terms(1)
        try:
            results = self.run(text_order, first), self.run(text_order, second)
        except StuckError as error:
            return Finding("deadlock", "text", str(error))
        for number, (one, other, a, b) in enumerate(zip(*results, first.untouched(), second.untouched(), strict=True)):
            if ((one != other) & ~(a & b)).any():
                return Finding("poison", "text", f"output {number} depends on memory that nothing has written")
        return results[0]


def _difference(expected: list[Array], found: list[Array]) -> str | None:
    for number, (one, other) in enumerate(zip(expected, found, strict=True)):
        if not np.array_equal(one, other):
            place = tuple(int(part) for part in np.argwhere(one != other)[0])
            return f"output {number} is another than in text order, first at {list(place[:-1])}"
    return None
