"""What a lowering to block form needs to know of a kernel: where its operands live, and ranges of its indices."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import cast

from xdsl.dialects.builtin import MemRefType, ModuleOp, TensorType
from xdsl.ir import Attribute, BlockArgument, SSAValue
from xdsl.ir.affine import AffineExpr

from rammer_ir.dialects.block import MemorySpace, memory_space
from rammer_ir.dialects.rop import GenericOp, GetWeightOp, ScanOp, TilingAttr, tensor_type
from rammer_ir.dialects.rtask import AlternativesOp, ContractionAttr, DispatchOp, KernelOp
from rammer_ir.dialects.vdevice import RunOp
from rammer_ir.errors import RammerError
from rammer_ir.indexing.ranges import Range, extent_ranges
from rammer_ir.indexing.simplify import linearize
from rammer_ir.locations import describe_op
from rammer_ir.lowering.bodies.body_builder import Ranges

LARGEST_LOOP = 2**31
"""Loop indices are below this."""


@dataclass(frozen=True)
class KernelView:
    """A kernel with the memory spaces of the tensors it reads, then of those it writes."""

    kernel: KernelOp
    spaces: tuple[MemorySpace, ...]

    @property
    def generics(self) -> tuple[GenericOp, ...]:
        return tuple(op for op in self.kernel.region.block.ops if isinstance(op, GenericOp))

    @property
    def tiling(self) -> TilingAttr:
        """How the kernel was cut; raises RammerError if it does not say."""
        tiling = self.kernel.tiling
        if tiling is None:
            raise RammerError(
                f"kernel @{self.kernel.sym_name.data} has no tiling, which says how many threads compute it",
                location=describe_op(self.kernel),
            )
        return tiling

    @property
    def contraction(self) -> ContractionAttr | None:
        """The roles of its first generic's loops, if it is a contraction."""
        contraction = self.kernel.attributes.get("contraction")
        return contraction if isinstance(contraction, ContractionAttr) else None

    @property
    def symbol_ranges(self) -> tuple[Range, ...]:
        loops = (Range(0, LARGEST_LOOP) for _ in range(self.kernel.loops))
        return (*extent_ranges(self.kernel.grid), *loops)

    def ranges(self, generic: GenericOp) -> Ranges:
        """Ranges of a generic's loops and of the symbols of its maps."""
        return extent_ranges(generic.bounds), self.symbol_ranges

    def start_address(self, generic: GenericOp, position: int) -> AffineExpr:
        """The address, by the task's symbols, of what an input of a generic is at the start of its loops."""
        input_map = generic.input_maps[position].data
        linear = linearize(input_map, tensor_type(generic.inputs[position]).get_shape(), *self.ranges(generic)).results[
            0
        ]
        zeros = [AffineExpr.constant(0)] * len(generic.bounds)
        symbols = [AffineExpr.symbol(symbol) for symbol in range(input_map.num_symbols)]
        return linear.replace_dims_and_symbols(zeros, symbols)

    def operands(self, constants: Sequence[Attribute] = ()) -> list[tuple[Attribute, MemorySpace]]:
        """Element type and memory space of what a body gets: tensors read, constants (weights), tensors written."""
        tensors = (*self.kernel.read_arguments, *self.kernel.written_arguments)
        operands = [(_element(argument), space) for argument, space in zip(tensors, self.spaces, strict=True)]
        first_written = len(self.kernel.reads)
        in_weights = [(element, MemorySpace.WEIGHTS) for element in constants]
        return [*operands[:first_written], *in_weights, *operands[first_written:]]

    def read_number(self, value: SSAValue) -> int | None:
        """The number of the tensor read, or None for one that is local to the task."""
        return next((i for i, argument in enumerate(self.kernel.read_arguments) if argument is value), None)


def kernel_views(module: ModuleOp) -> Iterator[KernelView]:
    """
    Every kernel of the module that is used and has no implementation yet.

    Those of recurrences come up once they are in a program: which of their memory passes between vEUs is known then.
    """
    spaces: dict[str, tuple[MemorySpace, ...]] = {}
    dispatched = {op.kernel.string_value() for op in module.walk() if isinstance(op, DispatchOp)}
    for op in module.walk():
        if isinstance(op, DispatchOp | RunOp):
            written = op.into if isinstance(op, DispatchOp) else op.outputs
            used = (*map(_space, op.inputs), *map(_written_space, written))
            name = op.kernel.string_value()
            known = spaces.get(name, used)
            spaces[name] = tuple(
                space if space is other else MemorySpace.GLOBAL for space, other in zip(known, used, strict=True)
            )
    for op in module.body.block.ops:
        if isinstance(op, KernelOp) and op.implementation is None and op.sym_name.data in spaces:
            if not (op.is_of_recurrence and op.sym_name.data in dispatched):
                yield KernelView(op, spaces[op.sym_name.data])


def _space(value: SSAValue) -> MemorySpace:
    if isinstance(value.type, MemRefType):
        return memory_space(value) or MemorySpace.GLOBAL
    return MemorySpace.WEIGHTS if _is_weight(value) else MemorySpace.GLOBAL


def _written_space(value: SSAValue) -> MemorySpace:
    """Words, or plain memory."""
    return MemorySpace.WORDS if memory_space(value) is MemorySpace.WORDS else MemorySpace.GLOBAL


def _is_weight(value: SSAValue) -> bool:
    """Whether a tensor is a weight, also as seen from inside a scan or a candidate."""
    if isinstance(value.owner, GetWeightOp):
        return True
    if not isinstance(value, BlockArgument):
        return False
    parent = value.block.parent_op()
    if isinstance(parent, AlternativesOp):
        return _is_weight(parent.inputs[value.index])
    if isinstance(parent, ScanOp):
        first = 1 + len(parent.scanned) + len(parent.carried)
        return value.index >= first and _is_weight(parent.captured[value.index - first])
    return False


def _element(value: SSAValue) -> Attribute:
    return cast("TensorType[Attribute]", value.type).element_type
