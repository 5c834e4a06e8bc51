"""Counts what a compilation made, at each of its levels."""

from collections.abc import Iterator, Mapping

import numpy as np
from xdsl.dialects.builtin import ModuleOp
from xdsl.dialects.func import FuncOp
from xdsl.ir import Operation

from rammer_ir.dialects.rop import OperatorOp
from rammer_ir.dialects.rtask import DispatchOp
from rammer_ir.dialects.vdevice import BarrierOp, BufferOp, LaunchOp, ProgramOp, RunOp
from rammer_ir.report import ProgramReport
from rammer_ir.runtime.program_image import Opcode, ProgramImage
from rammer_ir.scheduling.lifetimes import live_bytes
from rammer_ir.scheduling.program_form import programs_of, read_program


def report_on(levels: Mapping[str, ModuleOp], image: ProgramImage) -> ProgramReport:
    """Counts at the levels "rop", "rtask" and "vdevice" of one compilation, and in its image."""
    schedule = list(_program_ops(levels["vdevice"]))
    opcodes = np.asarray(image.instructions)[:, 0]
    return ProgramReport(
        operators=sum(isinstance(op, OperatorOp) for op in _program_ops(levels["rop"])),
        tasks=sum(op.last - op.first for op in schedule if isinstance(op, RunOp)),
        waves=_waves(levels["rtask"]),
        launches=sum(isinstance(op, LaunchOp) for op in schedule),
        barriers=sum(isinstance(op, BarrierOp) for op in schedule),
        waits=int(np.isin(opcodes, (Opcode.WAIT, Opcode.BARRIER)).sum()),
        veus=max(launch.veus for launch in image.launches),
        buffers=sum(isinstance(op, BufferOp) for op in schedule),
        arena_bytes=image.arena_bytes,
        live_bytes=sum(live_bytes(read_program(levels["vdevice"], op)) for op in programs_of(levels["vdevice"])),
        weight_bytes=image.weight_bytes,
        bodies=len(image.bodies),
    )


def _program_ops(module: ModuleOp) -> Iterator[Operation]:
    """The ops of the program column: kernels and their bodies, which are most of a module, are left out."""
    for op in module.ops:
        if isinstance(op, FuncOp | ProgramOp):
            yield from op.walk()


def _waves(module: ModuleOp) -> int:
    """Different waves, those of every loop counted on their own."""
    return len({(op.parent, op.wave) for op in _program_ops(module) if isinstance(op, DispatchOp)})
