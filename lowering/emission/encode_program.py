"""A module with a scheduled program as the image that the runtimes execute."""

from typing import Final

import numpy as np
from numpy.typing import NDArray
from xdsl.dialects import arith
from xdsl.dialects.builtin import DictionaryAttr, ModuleOp, StringAttr
from xdsl.ir import Block, SSAValue
from xdsl.utils.symbol_table import get_name_if_symbol

from rammer_ir.dialects import rop
from rammer_ir.dialects.block import memref_type
from rammer_ir.dialects.rtask import KernelOp
from rammer_ir.dialects.vdevice import BarrierOp, BufferOp, DeviceOp, ForOp, LaunchOp, ProgramOp, RunOp, WeightOp
from rammer_ir.errors import CompileError, InvalidInputError
from rammer_ir.locations import describe_op
from rammer_ir.lowering.element_types import numpy_name, space_of, static_shape
from rammer_ir.lowering.emission.bodies import DeviceKind
from rammer_ir.lowering.emission.body_table import BodyTable
from rammer_ir.lowering.emission.descriptors import Descriptors
from rammer_ir.lowering.emission.launches import LaunchEncoder
from rammer_ir.lowering.emission.operands import OperandPlaces
from rammer_ir.lowering.emission.program_tables import STATIC, ProgramTables
from rammer_ir.lowering.emission.streams import assemble
from rammer_ir.lowering.emission.tables import IntArray
from rammer_ir.lowering.emission.weight_arena import WeightArena
from rammer_ir.runtime.program_image import (
    INSTRUCTION_WORDS,
    Binding,
    HostLoop,
    LaunchImage,
    ProgramImage,
)

LENGTHS_ATTRIBUTE: Final = "vdevice.lengths"
"""Attribute of a program: a dictionary from a tensor's name to that of the length that bounds its first dimension."""


def encode(module: ModuleOp) -> ProgramImage:
    """
    The image of the module's program, which is left as it is. Memory must be planned, and every kernel implemented.

    Bodies may be in block form or lowered for the device that the program names. Raises CompileError, with the place
    of the op concerned, for what has no form in an image.
    """
    symbols = {name: op for op in module.body.block.ops if (name := get_name_if_symbol(op)) is not None}
    program = _program(module)
    arena = WeightArena({name: op for name, op in symbols.items() if isinstance(op, rop.WeightOp)})
    tables = ProgramTables(
        program=program,
        kernels={name: op for name, op in symbols.items() if isinstance(op, KernelOp)},
        bodies=BodyTable(symbols, device_kind(module)),
        descriptors=Descriptors(),
        places=OperandPlaces(program, arena),
        events=[],
    )
    encoder = _ProgramEncoder(program.sym_name.data, tables)
    encoder.encode_block(program.body.block)
    return ProgramImage(
        name=program.sym_name.data,
        launches=tuple(encoder.launches),
        host_loops=tuple(encoder.loops),
        instructions=_int32(encoder.instructions),
        descriptors=tables.descriptors.table(),
        bodies=tables.bodies.bodies(),
        events=tuple(tables.events),
        counters=encoder.counters,
        barriers=encoder.barriers,
        arena_bytes=_arena_bytes(program),
        weight_bytes=arena.bytes,
        weights=arena.places(),
        inputs=tuple(_binding(program, tensor) for tensor in program.input_arguments),
        outputs=tuple(_binding(program, tensor) for tensor in program.output_arguments),
        scalars=program.names[len(program.tensors) :],
        provenance=tables.descriptors.provenance,
    )


def has_program(module: ModuleOp) -> bool:
    """Whether there is a program to encode."""
    return any(isinstance(op, ProgramOp) for op in module.body.block.ops)


def encode_for(module: ModuleOp, kind: DeviceKind) -> ProgramImage:
    """`encode`, for a program that must be for a kind of device: raises InvalidInputError if it is not."""
    actual = device_kind(module)
    if actual != kind:
        raise InvalidInputError(f"the program is for a {actual} device: say -t {actual}, or set another device")
    return encode(module)


def device_kind(module: ModuleOp) -> DeviceKind:
    """The kind of device that the module's program is for; raises CompileError if there is no such program."""
    program = _program(module)
    symbol = program.device.string_value()
    devices = [op for op in module.body.block.ops if isinstance(op, DeviceOp) and op.sym_name.data == symbol]
    if not devices:
        raise CompileError(f"there is no device @{symbol}: run set-device first", location=describe_op(program))
    return "cuda" if devices[0].kind.data == "cuda" else "host"


def _program(module: ModuleOp) -> ProgramOp:
    programs = [op for op in module.body.block.ops if isinstance(op, ProgramOp)]
    if len(programs) != 1:
        raise CompileError(f"a module with one vdevice.program is encoded, this one has {len(programs)}")
    return programs[0]


class _ProgramEncoder:
    """Collects the launches of a program and their instructions, in text order."""

    def __init__(self, name: str, tables: ProgramTables) -> None:
        self.name: Final = name
        self.tables: Final = tables
        self.launches: Final[list[LaunchImage]] = []
        self.loops: Final[list[HostLoop]] = []
        self.counters = 0
        self.barriers = 0
        self._parts: Final[list[IntArray]] = []
        self._length = 0
        self._tokens: Final[dict[SSAValue, int]] = {}
        self._fence: tuple[int, ...] = ()
        """The last launch without a token, after which those with one come."""

    @property
    def instructions(self) -> IntArray:
        return np.concatenate([np.zeros((0, INSTRUCTION_WORDS), np.int64), *self._parts])

    def encode_block(self, block: Block) -> None:
        for op in block.ops:
            match op:
                case LaunchOp():
                    self._encode_launch(op)
                case ForOp():
                    self._encode_loop(op)
                case BufferOp() | WeightOp() | arith.ConstantOp():
                    pass
                case _:
                    raise CompileError(f"{op.name} has no form in a program", location=describe_op(op))

    def _encode_launch(self, op: LaunchOp) -> None:
        encoder = LaunchEncoder(op, self.tables)
        words, streams = assemble(encoder.rows, op.veus, self._length, self.tables.bodies.with_steps())
        self._parts.append(words)
        self._length += len(words)
        # Counters and barriers start each launch at zero, so launches share them.
        self.counters = max(self.counters, encoder.counters)
        self.barriers = max(self.barriers, len(encoder.barriers))
        self.launches.append(
            LaunchImage(
                name=f"{self.name}_{len(self.launches)}",
                streams=streams,
                threads=op.threads,
                service_threads=op.service_threads,
                registers=op.registers,
                ring_slots=op.ring_slots,
                ring_slot_bytes=op.ring_slot_bytes,
                scratch_bytes=op.scratch_bytes,
                pinned_bytes=op.pinned_bytes,
                after=self._after(op),
                is_cooperative=_is_cooperative(op),
            )
        )
        number = len(self.launches) - 1
        if op.token is None:
            self._fence = (number,)
        else:
            self._tokens[op.token] = number

    def _after(self, op: LaunchOp) -> tuple[int, ...] | None:
        """The launches that a launch with a token comes after."""
        if op.token is None:
            return None
        return tuple(sorted({*self._fence, *(self._tokens[token] for token in op.after)}))

    def _encode_loop(self, op: ForOp) -> None:
        """A loop around launches is one of the host's."""
        first = len(self.launches)
        try:
            iterations, scalar = self.tables.iterations(op.length)
        except CompileError as error:
            error.location = error.location or describe_op(op)
            raise
        self.encode_block(op.body.block)
        if len(self.launches) > first:
            names = self.tables.program.names[len(self.tables.program.tensors) :]
            count = len(self.launches) - first
            self.loops.append(HostLoop(first, count, iterations, None if scalar == STATIC else names[scalar]))


def _is_cooperative(launch: LaunchOp) -> bool:
    """Whether vEUs of a launch wait for each other: at a barrier, for an event, or for words."""
    for op in launch.walk():
        if isinstance(op, BarrierOp):
            return True
        if isinstance(op, RunOp) and (op.waits or any(space_of(memref_type(value)) == "words" for value in op.inputs)):
            return True
    return False


def _int32(words: IntArray) -> NDArray[np.int32]:
    limits = np.iinfo(np.int32)
    if words.size > 0 and not (limits.min <= words.min() and words.max() <= limits.max):
        raise CompileError("an instruction has a number that does not fit 32 bits")
    return words.astype(np.int32)


def _arena_bytes(program: ProgramOp) -> int:
    if program.arena_bytes is not None:
        return program.arena_bytes
    if any(isinstance(op, BufferOp) for op in program.body.walk()):
        raise CompileError("the program has buffers, and no arena: run plan-memory", location=describe_op(program))
    return 0


def _binding(program: ProgramOp, tensor: SSAValue) -> Binding:
    memref = memref_type(tensor)
    name = program.names[program.tensors.index(tensor)]
    try:
        shape = static_shape(memref)
        dtype = program.element_type_name(name) or numpy_name(memref.element_type)
    except CompileError as error:
        raise CompileError(f'"{name}": {error}', location=describe_op(program)) from error
    return Binding(name, shape, dtype, _length_of(program, name))


def _length_of(program: ProgramOp, name: str) -> str | None:
    lengths = program.attributes.get(LENGTHS_ATTRIBUTE)
    length = lengths.data.get(name) if isinstance(lengths, DictionaryAttr) else None
    return length.data if isinstance(length, StringAttr) else None
