"""What a compiled program consists of, in numbers."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from xdsl.dialects.builtin import ModuleOp

from rammer_ir.dialects.rop import OperatorOp
from rammer_ir.dialects.rtask import DispatchOp
from rammer_ir.dialects.vdevice import BarrierOp, BufferOp, LaunchOp, RunOp
from rammer_ir.runtime.program_image import Opcode, ProgramImage


@dataclass(frozen=True)
class ProgramReport:
    """
    Counts of a program as written: what a loop repeats counts once.

    `waves` are those of the schedule; `barriers` and `waits` are what is left of them in the program, `waits` over all
    vEUs; `arena_bytes` holds all `buffers`, which share memory where their lifetimes allow.
    """

    operators: int
    tasks: int
    waves: int
    launches: int
    barriers: int
    waits: int
    veus: int
    buffers: int
    arena_bytes: int
    weight_bytes: int
    bodies: int


def report_on(levels: Mapping[str, ModuleOp], image: ProgramImage) -> ProgramReport:
    """Counts at the levels of one compilation and in its image."""
    schedule = levels["vdevice"]
    opcodes = np.asarray(image.instructions)[:, 0]
    return ProgramReport(
        operators=_count(levels["rop"], OperatorOp),
        tasks=sum(op.last - op.first for op in schedule.walk() if isinstance(op, RunOp)),
        waves=_waves(levels["rtask"]),
        launches=_count(schedule, LaunchOp),
        barriers=_count(schedule, BarrierOp),
        waits=int(np.isin(opcodes, (Opcode.WAIT, Opcode.BARRIER)).sum()),
        veus=max(launch.veus for launch in image.launches),
        buffers=_count(schedule, BufferOp),
        arena_bytes=image.arena_bytes,
        weight_bytes=image.weight_bytes,
        bodies=len(image.bodies),
    )


def _count(module: ModuleOp, kind: type) -> int:
    return sum(isinstance(op, kind) for op in module.walk())


def _waves(module: ModuleOp) -> int:
    """Different waves, those of every loop counted on their own."""
    return len({(op.parent, op.wave) for op in module.walk() if isinstance(op, DispatchOp)})
