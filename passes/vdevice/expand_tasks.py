"""Ranges of tasks spelled out, for tests that look at single tasks."""

from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects.builtin import AffineMapAttr, ModuleOp
from xdsl.ir.affine import AffineExpr, AffineMap
from xdsl.rewriter import InsertPoint

from rammer_ir.dialects.vdevice import EventMap, RunOp
from rammer_ir.locations import builder_at, location_of
from rammer_ir.pass_api import Pass
from rammer_ir.scheduling.maps import table_rows, wait_table
from rammer_ir.scheduling.program_form import placement


@dataclass(frozen=True)
class ExpandTasks(Pass):
    """Makes every run of several tasks one run a task, each with its vEU as a constant. For small programs only."""

    name = "expand-tasks"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        for run in [found for found in op.walk() if isinstance(found, RunOp) and found.last - found.first > 1]:
            builder = builder_at(InsertPoint.before(run), location_of(run))
            for task, veu in enumerate(placement(run.place, run.first, run.last).tolist(), run.first):
                builder.insert(_single(run, task, veu))
            run.detach()
            run.erase()


def _single(run: RunOp, task: int, veu: int) -> RunOp:
    single = RunOp(
        run.kernel.string_value(),
        (task, task + 1),
        AffineMapAttr(AffineMap(1, 0, (AffineExpr.constant(veu),))),
        run.inputs,
        run.outputs,
        run.at,
        waits=[(event, _row(wait, task - run.first)) for event, wait in zip(run.waits, run.wait_maps, strict=True)],
        signals=list(zip(run.signals, run.signal_maps, strict=True)),
        cost=run.cost,
    )
    single.attributes = dict(run.attributes)
    return single


def _row(wait: EventMap, position: int) -> EventMap:
    """The wait of one task of a run, by its position there."""
    return wait if isinstance(wait, AffineMapAttr) else wait_table(table_rows(wait)[position : position + 1])
