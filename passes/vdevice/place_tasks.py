"""The vEUs of tasks that wait for single tasks: where each can start first."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby

import numpy as np
from xdsl.context import Context
from xdsl.dialects.builtin import AffineMapAttr, DenseIntOrFPElementsAttr, ModuleOp, TensorType, i64
from xdsl.ir.affine import AffineExpr, AffineMap

from rammer_ir.cost.device_rates import rates_of
from rammer_ir.dialects.rtask_attributes import Placement
from rammer_ir.dialects.vdevice import BarrierOp, ForOp, GroupOp, LaunchOp, RunOp
from rammer_ir.errors import PassError
from rammer_ir.locations import describe_op
from rammer_ir.pass_api import Pass
from rammer_ir.scheduling.boxes import Integers
from rammer_ir.scheduling.list_scheduling import Work, place_runs
from rammer_ir.scheduling.program_form import ProgramForm, device_of, launches_of, programs_of, read_program
from rammer_ir.scheduling.schedule import TaskRun
from rammer_ir.scheduling.stages import accesses_of
from rammer_ir.scheduling.task_relations import RunRelations


@dataclass(frozen=True)
class PlaceTasks(Pass):
    """
    Places every task outside of loops on the vEU that can start it first, as if tasks waited for single tasks alone.

    A task starts when the tasks that its boxes conflict with have ended, a hand-over later, and its vEU is free; costs
    are those of the runs. Runs keep their order, or get that of the longest paths to the end, whichever ends first; and
    tasks stay where they are if they gain less than costs may be wrong.
    This stands before barriers and memory: `relax-barriers` then takes out the barriers that it does not reckon with.
    """

    name = "place-tasks"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        for program in programs_of(op):
            handover = rates_of(device_of(op, program.device.string_value())).handover_us
            form = read_program(op, program)
            for launch in launches_of(program):
                for runs in _parts(launch):
                    _place(form, runs, launch.veus, handover)


def _parts(launch: LaunchOp) -> Iterator[list[RunOp]]:
    """The runs before, between and after the loops of a launch."""
    for op in launch.walk():
        if isinstance(op, GroupOp | BarrierOp) or (isinstance(op, RunOp) and (op.waits or op.signals)):
            raise PassError("place-tasks takes launches without groups, barriers and events", location=describe_op(op))
    for is_loop, ops in groupby(launch.body.block.ops, key=lambda op: isinstance(op, ForOp)):
        runs = [op for op in ops if isinstance(op, RunOp)]
        if runs and not is_loop:
            yield runs


def _place(form: ProgramForm, runs: list[RunOp], veus: int, handover: float) -> None:
    present = [form.runs[run].veus for run in runs]
    placement = place_runs(_works(form, runs), present, veus, handover)
    for number, run in enumerate(runs):
        run.place = _map_or_table(placement.veus[number], run.first, veus)
    block = runs[0].parent
    assert block is not None
    last = runs[-1].next_op
    for number in placement.order:
        runs[number].detach()
        if last is None:
            block.add_op(runs[number])
        else:
            block.insert_op_before(runs[number], last)


def _works(form: ProgramForm, runs: list[RunOp]) -> list[Work]:
    read = [TaskRun(form.runs[run].veus, tuple(accesses_of(form, run))) for run in runs]
    relations = RunRelations(read, [memory.memory for memory in form.memories])
    works: list[Work] = []
    for number, (run, pairs) in enumerate(zip(runs, relations.pairs(), strict=True)):
        found = {earlier: relations.conflicts(earlier, number) for earlier in pairs}
        after = {earlier: related for earlier, related in found.items() if related}
        works.append(Work(len(read[number]), 1.0 if run.cost is None else run.cost.microseconds, after))
    return works


def _map_or_table(places: Integers, first: int, veus: int) -> Placement:
    """The placement of tasks from `first` on: in turn, where they are, else a table."""
    if (places == (places[0] + np.arange(len(places))) % veus).all():
        veu = AffineExpr.dimension(0) + int(places[0]) - first
        return AffineMapAttr(AffineMap(1, 0, (veu if places[0] + len(places) <= veus else veu % veus,)))
    return DenseIntOrFPElementsAttr.from_list(TensorType(i64, [len(places)]), places.tolist())
