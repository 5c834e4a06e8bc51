"""Launches as streams of instructions."""

from typing import Final

import numpy as np
from xdsl.dialects import arith
from xdsl.ir import Block, Operation, SSAValue

from rammer_ir.dialects.vdevice import (
    BarrierOp,
    EventOp,
    ForOp,
    GroupOp,
    LaunchOp,
    PinOp,
    RunOp,
    enclosing_veus,
)
from rammer_ir.errors import CompileError
from rammer_ir.locations import describe_op
from rammer_ir.lowering.element_types import array_bytes
from rammer_ir.lowering.emission.pins import pin_rows
from rammer_ir.lowering.emission.program_tables import ProgramTables
from rammer_ir.lowering.emission.runs import run_rows
from rammer_ir.lowering.emission.tables import OUTSIDE, Rows, instruction_rows
from rammer_ir.lowering.emission.uses import body_of, check_budget, check_run, descriptor
from rammer_ir.runtime.program_image import Event, Opcode

_PIN_ALIGNMENT: Final = 16
"""Bytes to which pinned weights are aligned: the widest load."""


class LaunchEncoder:
    """
    Collects the instructions of one launch, in text order, as `rows`.

    `counters` and `barriers` are those it needs. Raises CompileError for what has no form as instructions.
    """

    def __init__(self, launch: LaunchOp, tables: ProgramTables) -> None:
        self.launch: Final = launch
        self.tables: Final = tables
        self.rows: Final[list[Rows]] = []
        self.counters = 0
        self.barriers: Final[dict[tuple[int, int], int]] = {}
        self._events: Final[dict[SSAValue, tuple[int, int]]] = {}
        self._pinned_bytes: Final = np.zeros(launch.veus, np.int64)
        self._loops = OUTSIDE
        self._scope = OUTSIDE
        self._encode_block(launch.body.block)

    def _encode_block(self, block: Block) -> None:
        for op in block.ops:
            try:
                self._encode(op)
            except CompileError as error:
                error.location = error.location or describe_op(op)
                raise

    def _encode(self, op: Operation) -> None:
        match op:
            case GroupOp():
                self._encode_block(op.body.block)
            case ForOp():
                self._encode_loop(op)
            case EventOp():
                self._declare(op)
            case BarrierOp():
                self._encode_barrier(op)
            case PinOp():
                self._encode_pin(op)
            case RunOp():
                self._encode_run(op)
            case arith.ConstantOp():
                pass
            case _:
                raise CompileError(f"{op.name} has no form in a launch")

    def _encode_loop(self, op: ForOp) -> None:
        if self._scope != OUTSIDE:
            raise CompileError("loops nest: unroll one of them")
        veus = np.arange(*enclosing_veus(op))
        self._add(instruction_rows(veus, Opcode.FOR, self.tables.iterations(op.length), OUTSIDE))
        self._loops += 1
        self._scope = self._loops
        self._encode_block(op.body.block)
        self._scope = OUTSIDE
        self._add(instruction_rows(veus, Opcode.NEXT, (), OUTSIDE))

    def _add(self, rows: Rows) -> None:
        self.rows.append(rows)

    def _declare(self, op: EventOp) -> None:
        kind = op.result.type
        number = len(self.tables.events)
        self._events[op.result] = (number, self.counters)
        name = op.result.name_hint or f"event {number}"
        self.tables.events.append(Event(name, self.counters, kind.counters))
        self.counters += kind.counters

    def _encode_barrier(self, op: BarrierOp) -> None:
        """Each range of vEUs has a counter of its own."""
        first, last = enclosing_veus(op)
        if last - first == 1:
            return
        number = self.barriers.setdefault((first, last), len(self.barriers))
        self._add(instruction_rows(np.arange(first, last), Opcode.BARRIER, (number, last - first), self._scope))

    def _encode_pin(self, op: PinOp) -> None:
        """A pinned weight lies at the same place in all its vEUs, behind what any of them has already."""
        if self._scope != OUTSIDE:
            raise CompileError("a weight is pinned in a loop: pin it once, before")
        first, last = enclosing_veus(op)
        start = int(self._pinned_bytes[first:last].max())
        end = start + array_bytes(op.result.type)
        if end > self.launch.pinned_bytes:
            raise CompileError(f"the launch has {self.launch.pinned_bytes} bytes for pinned weights, {end} are needed")
        self._pinned_bytes[first:last] = -(-end // _PIN_ALIGNMENT) * _PIN_ALIGNMENT
        self.tables.places.set_pin(op.result, start)
        self._add(pin_rows(op, self.tables.places.place(op.weight).offset, start))

    def _encode_run(self, op: RunOp) -> None:
        kernel = self.tables.kernel(op.kernel.string_value())
        check_run(op, kernel)
        number, body = body_of(kernel, self.tables)
        check_budget(body, self.launch)
        entry = descriptor(op, kernel, body, self.tables)
        self._add(run_rows(op, kernel.grid, number, entry, self._event, self._scope))

    def _event(self, event: SSAValue) -> tuple[int, int]:
        if event not in self._events:
            raise CompileError("an event is used outside of its launch")
        return self._events[event]
