"""The grouping of the wave strategy: a launch for every wave (what Rammer's artifact measured)."""

from collections.abc import Sequence
from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Block, Operation, Region
from xdsl.rewriter import InsertPoint

from rammer_ir.dialects.vdevice import BarrierOp, ForOp, LaunchOp, RunOp
from rammer_ir.errors import PassError
from rammer_ir.locations import builder_at, describe_op, fuse_locations, location_of
from rammer_ir.pass_api import Pass
from rammer_ir.scheduling.program_form import ProgramForm, launches_of, programs_of, read_program
from rammer_ir.scheduling.stages import accesses_of
from rammer_ir.scheduling.wavefront import wave_numbers


@dataclass(frozen=True)
class GroupWaves(Pass):
    """
    Makes the runs of every wave one launch, with the budget of the launch they stood in.

    A run is in the first wave after all runs that it conflicts with, so that those of a wave run side by side and no
    barrier is left. A loop is one node of the waves around it and moves around its launches; `unroll-loops` before
    this pass lets waves cut through the iterations of several. Launches with groups, events or pins are refused.
    """

    name = "group-waves"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        for program in programs_of(op):
            form = read_program(op, program)
            for launch in launches_of(program):
                builder = builder_at(InsertPoint.before(launch), location_of(launch))
                for part in _waves(form, launch, launch.body.block):
                    builder.insert(part)
                launch.detach()
                launch.erase()


def _waves(form: ProgramForm, launch: LaunchOp, block: Block) -> list[Operation]:
    """The launches and loops that a block becomes; its runs and loops are taken out of it."""
    nodes: list[RunOp | ForOp] = []
    for op in block.ops:
        if isinstance(op, RunOp | ForOp):
            nodes.append(op)
        elif not isinstance(op, BarrierOp):
            raise PassError(f"a launch with {op.name} is no sequence of waves", location=describe_op(op))
    waves = wave_numbers([accesses_of(form, node) for node in nodes])
    parts: list[Operation] = []
    for wave in range(max(waves, default=-1) + 1):
        members = [node for node, number in zip(nodes, waves, strict=True) if number == wave]
        runs = [node for node in members if isinstance(node, RunOp)]
        if runs:
            parts.append(_launch(launch, runs))
        parts += [_around_launches(form, launch, node) for node in members if isinstance(node, ForOp)]
    return parts


def _launch(launch: LaunchOp, runs: Sequence[RunOp]) -> LaunchOp:
    for run in runs:
        run.detach()
    part = launch.with_same_budget(Region(Block(runs)))
    part.location = fuse_locations(runs)
    return part


def _around_launches(form: ProgramForm, launch: LaunchOp, loop: ForOp) -> ForOp:
    body = loop.body.block
    inside = _waves(form, launch, body)
    for rest in list(body.ops):
        rest.detach()
        rest.erase()
    body.add_ops(inside)
    loop.detach()
    return loop
