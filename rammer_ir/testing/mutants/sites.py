"""Where a program can be changed, and how ops of a program are replaced."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from xdsl.dialects.builtin import AffineMapAttr, DenseIntElementsAttr, DenseIntOrFPElementsAttr, TensorType, i64
from xdsl.ir import Operation, SSAValue
from xdsl.ir.affine import AffineExpr, AffineMap

from rammer_ir.dialects.rtask import Placement
from rammer_ir.dialects.vdevice import EventMap, LaunchOp, ProgramOp, RunOp
from rammer_ir.scheduling.program_form import placement

Found = TypeVar("Found", bound=Operation)


@dataclass(frozen=True)
class Surgery:
    """A program to be changed in one place, which `generator` chooses."""

    program: ProgramOp
    generator: np.random.Generator

    def ops(self, kind: type[Found], wanted: Callable[[Found], bool] = lambda op: True) -> list[Found]:
        """All ops of a kind, in text order."""
        return [op for op in self.program.walk() if isinstance(op, kind) and wanted(op)]

    def any(self, kind: type[Found], wanted: Callable[[Found], bool] = lambda op: True) -> Found | None:
        """One op of a kind, if there is any."""
        return self.choose(self.ops(kind, wanted))

    def choose(self, choices: "Sequence[Choice]") -> "Choice | None":
        """One of the choices, if there is any."""
        return choices[int(self.generator.integers(len(choices)))] if choices else None

    def number(self, low: int, high: int) -> int:
        """A number from `low` to `high`, both included."""
        return int(self.generator.integers(low, high + 1))


Choice = TypeVar("Choice")

Mutation = Callable[[Surgery], str | None]
"""Changes a program in one place and says what it did; None where the program has nothing of the kind."""

WaitList = list[tuple[SSAValue, EventMap]]
SignalList = list[tuple[SSAValue, AffineMapAttr]]


def waits_of(run: RunOp) -> WaitList:
    return list(zip(run.waits, run.wait_maps, strict=True))


def signals_of(run: RunOp) -> SignalList:
    return list(zip(run.signals, run.signal_maps, strict=True))


def replaced(
    run: RunOp,
    *,
    waits: WaitList | None = None,
    signals: SignalList | None = None,
    tasks: tuple[int, int] | None = None,
    place: Placement | None = None,
    inputs: Sequence[SSAValue] | None = None,
    outputs: Sequence[SSAValue] | None = None,
) -> RunOp:
    """The run with something else, in its place."""
    block = run.parent
    assert block is not None
    new = RunOp(
        run.kernel.string_value(),
        (run.first, run.last) if tasks is None else tasks,
        run.place if place is None else place,
        list(run.inputs) if inputs is None else inputs,
        list(run.outputs) if outputs is None else outputs,
        list(run.at),
        waits=waits_of(run) if waits is None else waits,
        signals=signals_of(run) if signals is None else signals,
        cost=run.cost,
    )
    new.location = run.location
    block.insert_op_before(new, run)
    run.detach()
    run.erase()
    return new


def with_results(map_attr: AffineMapAttr, change: Callable[[list[AffineExpr]], None]) -> AffineMapAttr:
    """The map with other results."""
    results = list(map_attr.data.results)
    change(results)
    return AffineMapAttr(AffineMap(map_attr.data.num_dims, map_attr.data.num_symbols, tuple(results)))


def places_of(run: RunOp) -> list[int]:
    """The vEU of each task, counted in its group."""
    return placement(run.place, run.first, run.last).tolist()


def table(veus: Sequence[int]) -> DenseIntElementsAttr:
    """A placement as a table."""
    return DenseIntOrFPElementsAttr.from_list(TensorType(i64, [len(veus)]), list(veus))


def text_of(run: RunOp) -> str:
    """A run for the description of a mutant."""
    return f"{run.kernel} [{run.first}, {run.last})"


def launch_of(op: Operation) -> LaunchOp:
    """The launch around an op."""
    parent = op.parent_op()
    while not isinstance(parent, LaunchOp):
        assert parent is not None
        parent = parent.parent_op()
    return parent


__all__ = [
    "Mutation",
    "Surgery",
    "launch_of",
    "places_of",
    "replaced",
    "signals_of",
    "table",
    "text_of",
    "waits_of",
    "with_results",
]
