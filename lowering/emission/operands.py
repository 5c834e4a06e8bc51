"""Where the memory that runs name lies, and whether a body may use it as it does."""

from collections.abc import Mapping
from typing import Final

from xdsl.dialects.builtin import MemRefType
from xdsl.ir import Attribute, SSAValue

from rammer_ir.dialects.block import MemorySpace, memref_type
from rammer_ir.dialects.vdevice import BufferOp, PinOp, ProgramOp, WeightOp
from rammer_ir.errors import CompileError
from rammer_ir.lowering.element_types import array_elements, space_of
from rammer_ir.lowering.emission.descriptors import Place
from rammer_ir.lowering.emission.weight_arena import WeightArena
from rammer_ir.runtime.program_image import Space

_MOST_ELEMENTS: Final = 2**31 - 1
"""Elements of one operand: bodies count in 32 bits."""

_ALLOWED: Final[Mapping[str, frozenset[str | None]]] = {
    MemorySpace.GLOBAL: frozenset({None, MemorySpace.GLOBAL, MemorySpace.WEIGHTS}),
    MemorySpace.WEIGHTS: frozenset({None, MemorySpace.WEIGHTS}),
    MemorySpace.WORDS: frozenset({MemorySpace.WORDS}),
    MemorySpace.PINNED: frozenset({MemorySpace.PINNED}),
}
"""By a body's memory space: the spaces of what it may be given. The caller's tensors are in none."""


class OperandPlaces:
    """Resolves the memory of one program."""

    def __init__(self, program: ProgramOp, arena: WeightArena) -> None:
        self._arena: Final = arena
        self._inputs: Final = set(program.input_arguments)
        self._bindings: Final = {tensor: number for number, tensor in enumerate(program.tensors)}
        self._pins: Final[dict[SSAValue, int]] = {}

    def set_pin(self, pinned: SSAValue, shared_offset: int) -> None:
        """Note where a pinned weight lies in the pinned memory of its vEUs."""
        self._pins[pinned] = shared_offset

    def place(self, value: SSAValue) -> Place:
        """Where a memref of the program lies; raises CompileError if that is not known."""
        if value in self._bindings:
            return Place(Space.FIRST_BINDING + self._bindings[value], 0)
        match value.owner:
            case BufferOp() as buffer:
                if buffer.offset is None:
                    raise CompileError("a buffer has no offset in the arena: run plan-memory")
                return Place(Space.ARENA, buffer.offset)
            case WeightOp() as weight:
                return Place(Space.WEIGHTS, self._arena.offset(weight.weight.string_value(), weight.result.type))
            case PinOp() as pin:
                if pin.result not in self._pins:
                    raise CompileError("a pinned weight is used outside of its launch")
                return Place(Space.PINNED, self._pins[pin.result])
            case _:
                raise CompileError(f"memory of type {value.type} is neither a buffer, a weight, nor an argument")

    def constant(self, symbol: str, operand: MemRefType[Attribute]) -> Place:
        """Where a weight lies that only a body knows; raises CompileError if the body cannot use it."""
        offset = self._arena.offset(symbol)
        element = self._arena.tensor(symbol).element_type
        if element != operand.element_type or space_of(operand) not in (MemorySpace.WEIGHTS, MemorySpace.GLOBAL):
            raise CompileError(f"weight @{symbol} of {element} is given to a body that takes {operand}")
        return Place(Space.WEIGHTS, offset)

    def check_use(self, value: SSAValue, operand: MemRefType[Attribute], *, written: bool) -> None:
        """Raise CompileError unless a body that takes `operand` may be given this memory."""
        memref = memref_type(value)
        if memref.element_type != operand.element_type:
            raise CompileError(f"{memref} is given to a body that takes {operand}")
        if space_of(memref) not in _ALLOWED.get(space_of(operand) or "", frozenset()):
            raise CompileError(f'{memref} is given to a body that takes it in memory space "{space_of(operand)}"')
        is_output = value in self._bindings and value not in self._inputs
        if is_output and space_of(operand) == MemorySpace.WEIGHTS:
            raise CompileError("an output of the program is given to a body as a weight, which nothing may write")
        if written and value in self._inputs:
            raise CompileError("an input of the program is written")
        if array_elements(memref) > _MOST_ELEMENTS:
            raise CompileError(f"{memref} has more elements than the 32 bits of an index in a kernel body can tell")
