"""Operators with their candidate tilings become kernels and alternatives between them."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from io import StringIO
from itertools import count
from typing import cast

from xdsl.builder import Builder
from xdsl.context import Context
from xdsl.dialects.builtin import ArrayAttr, IndexType, ModuleOp, TensorType
from xdsl.dialects.tensor import EmptyOp
from xdsl.ir import Attribute, Block, Region, SSAValue
from xdsl.ir.affine import AffineMap
from xdsl.printer import Printer
from xdsl.rewriter import InsertPoint
from xdsl.utils.hints import isa

from rammer_ir.dialects.nesting import enclosing_op
from rammer_ir.dialects.rop import GenericOp, GetWeightOp, OperatorOp, SplitAttr, TilingAttr, WeightOp
from rammer_ir.dialects.rtask import AlternativesOp, DispatchOp, KernelOp, YieldOp
from rammer_ir.errors import PassError
from rammer_ir.locations import describe_op, location_of, rewriter_at, set_location
from rammer_ir.pass_api import Pass
from rammer_ir.symbols import FreshSymbols
from rammer_ir.tiling.contraction import match_contraction
from rammer_ir.tiling.matrix_vector import check_tile, match_matrix_vector
from rammer_ir.tiling.packed_matrix import PackedMatrix
from rammer_ir.tiling.packed_weight import PackedWeight
from rammer_ir.tiling.split_reduction import SplitReduction
from rammer_ir.tiling.task_dimensions import generics_of
from rammer_ir.tiling.tiled_operator import TiledOperator, cuts_of

PackedOperand = PackedWeight | PackedMatrix
"""What a kernel reads instead of a weight."""

PackingKey = tuple[str, TensorType[Attribute], AffineMap]
"""What makes two packed weights the same: source, packed type and the map to the source."""


@dataclass(frozen=True)
class ConvertRopToRtask(Pass):
    """
    Every `rop.operator` becomes an `rtask.alternatives` with one candidate for each of its `tilings`.

    A candidate's kernel holds the operator's generics cut to one tile. A contraction and a matrix-vector product read
    their weight packed: a derived weight is added to the module. Operators must have been tiled (pass `tile`). Each of
    an operator's `splits` becomes a candidate of two dispatches: one writes partial sums, the other adds them up.
    """

    name = "convert-rop-to-rtask"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        symbols = _Symbols(FreshSymbols(op), Builder(InsertPoint.at_start(op.body.block)))
        for number, operator in enumerate([found for found in op.walk() if isinstance(found, OperatorOp)]):
            _Conversion(operator, number, symbols).run()
        for left in op.walk():
            if isinstance(left, GenericOp) and not _is_in_kernel_or_recipe(left):
                raise PassError("rop.generic is in no operator: run fuse-operators first", location=describe_op(left))


def _is_in_kernel_or_recipe(generic: GenericOp) -> bool:
    return enclosing_op(generic, KernelOp) is not None or enclosing_op(generic, WeightOp) is not None


@dataclass(frozen=True)
class _Kernel:
    """A kernel of the module, and which of an operator's inputs it reads and writes (see `TiledOperator`)."""

    name: str
    reads: Sequence[int]
    destinations: Sequence[int | None]


@dataclass(frozen=True)
class _Symbols:
    """The symbols that conversions add to the module; equal operators share kernels, equal packings share weights."""

    names: FreshSymbols
    builder: Builder
    packed: dict[PackingKey, str] = field(default_factory=dict[PackingKey, str])
    kernels: dict[tuple[str, TilingAttr], _Kernel] = field(default_factory=dict[tuple[str, TilingAttr], _Kernel])


def _meaning(operator: OperatorOp) -> str:
    """A text that operators share if they compute the same from operands of the same types and kinds."""
    text = StringIO()
    Printer(text).print_region(operator.body)
    numbers: dict[str, str] = {}
    body = re.sub(r"%\w+", lambda name: numbers.setdefault(name[0], f"%{len(numbers)}"), text.getvalue())
    weights = [isinstance(value.owner, GetWeightOp) for value in operator.inputs]
    return f"{weights} {body}"


class _Conversion:
    """The conversion of one operator."""

    def __init__(self, operator: OperatorOp, number: int, symbols: _Symbols) -> None:
        self.operator = operator
        self.number = number
        self.symbols = symbols
        self.meaning = _meaning(operator)

    def run(self) -> None:
        candidates = [
            self._candidate(lambda block, tiling=tiling, name=name: self._dispatch(tiling, name, block, block.args))
            for tiling, name in zip(self._tilings(), self._names("candidate"), strict=False)
        ]
        candidates += [
            self._candidate(lambda block, split=split, name=name: self._split(split, name, block))
            for split, name in zip(self._splits(), self._names("split"), strict=False)
        ]
        alternatives = AlternativesOp(self.operator.inputs, self.operator.result_types, candidates)
        set_location(alternatives, location_of(self.operator))
        rewriter_at(self.operator).replace(self.operator, alternatives)

    def _tilings(self) -> Sequence[TilingAttr]:
        tilings = self.operator.attributes.get("tilings")
        if not isa(tilings, ArrayAttr[TilingAttr]) or not len(tilings):
            raise PassError("an operator has no tilings: run the pass tile first", location=describe_op(self.operator))
        return tilings.data

    def _splits(self) -> Sequence[SplitAttr]:
        splits = self.operator.attributes.get("splits")
        return splits.data if isa(splits, ArrayAttr[SplitAttr]) else ()

    def _names(self, kind: str) -> Iterator[str]:
        return (f"operator{self.number}_{kind}{candidate}" for candidate in count())

    def _candidate(self, dispatch: Callable[[Block], Sequence[SSAValue]]) -> Region:
        block = Block(arg_types=[value.type for value in self.operator.inputs])
        block.add_op(YieldOp(*dispatch(block)))
        return Region(block)

    def _split(self, split: SplitAttr, name: str, block: Block) -> Sequence[SSAValue]:
        """The dispatches of partial sums and of their sum."""
        parts = SplitReduction.of(self.operator, split.dim, split.parts)
        partial = _Conversion(parts.partial, self.number, self.symbols)
        inputs = [block.args[number] for number in parts.partial_inputs]
        sums = partial._dispatch(split.partial, f"{name}_partial", block, inputs)
        total = _Conversion(parts.total, self.number, self.symbols)
        inputs = [*sums, *(block.args[number] for number in parts.total_inputs)]
        results = total._dispatch(split.total, f"{name}_total", block, inputs)
        parts.erase()
        return results

    def _dispatch(self, tiling: TilingAttr, name: str, block: Block, inputs: Sequence[SSAValue]) -> Sequence[SSAValue]:
        """The results of a dispatch at the end of a block, where `inputs` are the operator's."""
        packed = self._packed_weight(tiling)
        replaced, weights = self._packed_operand(packed, block)
        kernel = self._kernel(tiling, name, packed, replaced)
        reads = [weights.get(number, inputs[number]) for number in kernel.reads]
        into: list[SSAValue] = []
        for destination, result in zip(kernel.destinations, self.operator.result_types, strict=True):
            into.append(inputs[destination] if destination is not None else self._empty(block, result))
        at = [value for value in inputs if isinstance(value.type, IndexType)]
        dispatch = DispatchOp(kernel.name, reads, into, at)
        set_location(dispatch, location_of(self.operator))
        block.add_op(dispatch)
        return dispatch.res

    def _kernel(
        self,
        tiling: TilingAttr,
        name: str,
        packed: PackedOperand | None,
        replaced: dict[int, tuple[TensorType[Attribute], AffineMap]],
    ) -> _Kernel:
        """The kernel of a tiling, that of an equal operator if there is one."""
        key = (self.meaning, tiling)
        if key not in self.symbols.kernels:
            tiled = TiledOperator(self.operator, cuts_of(self.operator, tiling), replaced)
            kernel = tiled.kernel(self.symbols.names.new(name))
            kernel.attributes["tiling"] = tiling
            if packed is not None:
                kernel.attributes[tiling.kind] = packed.description()
            self.symbols.builder.insert(kernel)
            self.symbols.kernels[key] = _Kernel(kernel.sym_name.data, tiled.reads, tiled.destinations)
        return self.symbols.kernels[key]

    def _empty(self, block: Block, tensor: Attribute) -> SSAValue:
        empty = EmptyOp([], cast("TensorType[Attribute]", tensor))
        block.add_op(empty)
        return empty.tensor

    def _packed_weight(self, tiling: TilingAttr) -> PackedOperand | None:
        """What stands for the weight of a contraction or of a matrix-vector product; None for other tilings."""
        first = generics_of(self.operator)[0]
        if tiling.kind == "contraction" and (contraction := match_contraction(self.operator)) is not None:
            return PackedWeight.of(first, contraction, tiling)
        if tiling.kind == "matrix_vector" and (roles := match_matrix_vector(self.operator)) is not None:
            check_tile(self.operator, roles, tiling)
            return PackedMatrix.of(first, roles, tiling)
        if tiling.kind != "generic":
            kind = {"contraction": "contraction", "matrix_vector": "matrix-vector product"}[tiling.kind]
            raise PassError(f"a {kind} tiling on what is no {kind}", location=describe_op(self.operator))
        return None

    def _packed_operand(
        self, weight: PackedOperand | None, block: Block
    ) -> tuple[dict[int, tuple[TensorType[Attribute], AffineMap]], dict[int, SSAValue]]:
        """Type, map and value that replace the operand of a packed weight, by the number of the operand."""
        if weight is None:
            return {}, {}
        number = self._weight_operand(weight)
        value = GetWeightOp(self._packed_symbol(weight, number), weight.type)
        block.add_op(value)
        return {number: (weight.type, weight.read_map())}, {number: value.result}

    def _weight_operand(self, weight: PackedOperand) -> int:
        roles = weight.contraction if isinstance(weight, PackedWeight) else weight.roles
        argument = weight.generic.inputs[roles.w]
        return next(number for number, value in enumerate(self.operator.body.block.args) if value is argument)

    def _packed_symbol(self, weight: PackedOperand, number: int) -> str:
        source = self.operator.inputs[number].owner
        assert isinstance(source, GetWeightOp)
        source_name = source.weight.string_value()
        key = (source_name, weight.type, weight.source_map())
        if key not in self.symbols.packed:
            name = self.symbols.names.new(f"{source_name}_packed{len(self.symbols.packed)}")
            self.symbols.packed[key] = name
            recipe = weight.recipe(source_name, name)
            set_location(recipe, location_of(source))
            self.symbols.builder.insert(recipe)
        return self.symbols.packed[key]
