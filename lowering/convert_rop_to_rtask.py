"""Operators with their candidate tilings become kernels and alternatives between them."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from xdsl.builder import Builder
from xdsl.context import Context
from xdsl.dialects.builtin import ArrayAttr, IndexType, ModuleOp, TensorType
from xdsl.dialects.tensor import EmptyOp
from xdsl.ir import Attribute, Block, BlockArgument, Region, SSAValue
from xdsl.ir.affine import AffineMap
from xdsl.rewriter import InsertPoint
from xdsl.utils.hints import isa

from rammer_ir.dialects.nesting import enclosing_op
from rammer_ir.dialects.rop import GenericOp, GetWeightOp, OperatorOp, SplitAttr, TilingAttr, WeightOp, tensor_type
from rammer_ir.dialects.rtask import AlternativesOp, DispatchOp, KernelOp, YieldOp
from rammer_ir.errors import PassError
from rammer_ir.locations import describe_op, location_of, rewriter_at, set_location
from rammer_ir.pass_api import Pass
from rammer_ir.symbols import FreshSymbols
from rammer_ir.tiling.contraction import match_contraction
from rammer_ir.tiling.equal_operators import Meaning, equal_operators, meaning_of
from rammer_ir.tiling.matrix_vector import check_tile, match_matrix_vector
from rammer_ir.tiling.packed_matrix import PackedMatrix
from rammer_ir.tiling.packed_weight import PackedWeight
from rammer_ir.tiling.planned_dispatch import Candidate, PackedOperand, PlannedDispatch
from rammer_ir.tiling.split_reduction import SplitReduction
from rammer_ir.tiling.task_dimensions import generics_of
from rammer_ir.tiling.tiled_operator import TiledOperator, cuts_of

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
        for number, operators in enumerate(equal_operators(op)):
            candidates = _Planner(symbols, number).candidates(operators[0])
            for operator in operators:
                _replace(operator, [_candidate(operator, candidate, symbols) for candidate in candidates])
        for left in op.walk():
            if isinstance(left, GenericOp) and not _is_in_kernel_or_recipe(left):
                raise PassError("rop.generic is in no operator: run fuse-operators first", location=describe_op(left))


def _is_in_kernel_or_recipe(generic: GenericOp) -> bool:
    return enclosing_op(generic, KernelOp) is not None or enclosing_op(generic, WeightOp) is not None


def _replace(operator: OperatorOp, candidates: Sequence[Region]) -> None:
    alternatives = AlternativesOp(operator.inputs, operator.result_types, candidates)
    set_location(alternatives, location_of(operator))
    rewriter_at(operator).replace(operator, alternatives)


@dataclass(frozen=True)
class _Kernel:
    """A kernel of the module, and which of an operator's inputs it reads and writes (see `TiledOperator`)."""

    name: str
    reads: Sequence[int]
    destinations: Sequence[int | None]


@dataclass(frozen=True)
class _Symbols:
    """The symbols that are added to the module; equal operators share kernels, equal packings share weights."""

    names: FreshSymbols
    builder: Builder
    packed: dict[PackingKey, str] = field(default_factory=dict[PackingKey, str])
    kernels: dict[tuple[Meaning, TilingAttr], _Kernel] = field(
        default_factory=dict[tuple[Meaning, TilingAttr], _Kernel]
    )

    def packed_weight(self, source: GetWeightOp, packed: PackedOperand) -> str:
        """The name of a weight as it is packed."""
        source_name = source.weight.string_value()
        key = (source_name, packed.type, packed.source_map)
        if key not in self.packed:
            name = self.names.new(f"{source_name}_packed{len(self.packed)}")
            self.packed[key] = name
            recipe = packed.recipe(source_name, name)
            set_location(recipe, location_of(source))
            self.builder.insert(recipe)
        return self.packed[key]


def _candidate(operator: OperatorOp, candidate: Candidate, symbols: _Symbols) -> Region:
    """The dispatches of a candidate for one of the operators that share it."""
    block = Block(arg_types=[value.type for value in operator.inputs])
    values: list[SSAValue] = list(block.args)
    results: Sequence[SSAValue] = ()
    for planned in candidate:
        weights: dict[int, SSAValue] = {}
        for number, packed in planned.packed.items():
            source = operator.inputs[number].owner
            assert isinstance(source, GetWeightOp)
            value = GetWeightOp(symbols.packed_weight(source, packed), packed.type)
            block.add_op(value)
            weights[number] = value.result
        reads = [weights.get(number, values[number]) for number in planned.reads]
        into: list[SSAValue] = []
        for destination, result in zip(planned.destinations, planned.results, strict=True):
            into.append(values[destination] if destination is not None else _empty(block, result))
        dispatch = DispatchOp(planned.kernel, reads, into, [values[number] for number in planned.at])
        set_location(dispatch, location_of(operator))
        block.add_op(dispatch)
        results = dispatch.res
        values += results
    block.add_op(YieldOp(*results))
    return Region(block)


def _empty(block: Block, tensor: TensorType[Attribute]) -> SSAValue:
    empty = EmptyOp([], tensor)
    block.add_op(empty)
    return empty.tensor


@dataclass(frozen=True)
class _Planner:
    """Makes the kernels of operators, the first of which are called after `number`."""

    symbols: _Symbols
    number: int

    def candidates(self, operator: OperatorOp) -> list[Candidate]:
        tilings, splits = operator.attributes.get("tilings"), operator.attributes.get("splits")
        if not isa(tilings, ArrayAttr[TilingAttr]) or not len(tilings):
            raise PassError("an operator has no tilings: run the pass tile first", location=describe_op(operator))
        prefix = f"operator{self.number}_"
        inputs, meaning = range(len(operator.inputs)), meaning_of(operator)
        candidates: list[Candidate] = [
            [self._dispatch(operator, meaning, tiling, f"{prefix}candidate{position}", inputs)]
            for position, tiling in enumerate(tilings)
        ]
        if isa(splits, ArrayAttr[SplitAttr]):
            candidates += [
                self._split(operator, split, f"{prefix}split{position}") for position, split in enumerate(splits)
            ]
        return candidates

    def _split(self, operator: OperatorOp, split: SplitAttr, name: str) -> Candidate:
        """The dispatches of partial sums and of their sum, whose first input is the first's result."""
        parts = SplitReduction.of(operator, split.dim, split.parts)
        partial = self._dispatch(
            parts.partial, meaning_of(parts.partial), split.partial, f"{name}_partial", parts.partial_inputs
        )
        inputs = (len(operator.inputs), *parts.total_inputs)
        total = self._dispatch(parts.total, meaning_of(parts.total), split.total, f"{name}_total", inputs)
        parts.erase()
        return partial, total

    def _dispatch(
        self, operator: OperatorOp, meaning: Meaning, tiling: TilingAttr, name: str, inputs: Sequence[int]
    ) -> PlannedDispatch:
        """The dispatch of a tiling, where the operator's inputs have the given numbers."""
        packed = _packed_operands(operator, tiling)
        kernel = self._kernel(operator, meaning, tiling, name, packed)
        return PlannedDispatch(
            kernel.name,
            tuple(inputs[number] for number in kernel.reads),
            tuple(None if number is None else inputs[number] for number in kernel.destinations),
            tuple(inputs[at] for at, value in enumerate(operator.inputs) if isinstance(value.type, IndexType)),
            [tensor_type(value) for value in operator.results],
            {inputs[number]: operand for number, operand in packed.items()},
        )

    def _kernel(
        self,
        operator: OperatorOp,
        meaning: Meaning,
        tiling: TilingAttr,
        name: str,
        packed: dict[int, PackedOperand],
    ) -> _Kernel:
        """The kernel of a tiling, that of an equal operator if there is one."""
        key = (meaning, tiling)
        if key not in self.symbols.kernels:
            replaced = {number: (operand.type, operand.read_map()) for number, operand in packed.items()}
            tiled = TiledOperator(operator, cuts_of(operator, tiling), replaced)
            kernel = tiled.kernel(self.symbols.names.new(name))
            kernel.attributes["tiling"] = tiling
            for operand in packed.values():
                kernel.attributes[tiling.kind] = operand.description()
            self.symbols.builder.insert(kernel)
            self.symbols.kernels[key] = _Kernel(kernel.sym_name.data, tiled.reads, tiled.destinations)
        return self.symbols.kernels[key]


def _packed_operands(operator: OperatorOp, tiling: TilingAttr) -> dict[int, PackedOperand]:
    """What stands for the weight of a contraction or of a matrix-vector product, by the number of the input."""
    first = generics_of(operator)[0]
    if tiling.kind == "contraction" and (contraction := match_contraction(operator)) is not None:
        return {_input_number(first, contraction.w): PackedWeight.of(first, contraction, tiling)}
    if tiling.kind == "matrix_vector" and (roles := match_matrix_vector(operator)) is not None:
        check_tile(operator, roles, tiling)
        return {_input_number(first, roles.w): PackedMatrix.of(first, roles, tiling)}
    kinds = {"contraction": "contraction", "matrix_vector": "matrix-vector product"}
    if tiling.kind in kinds:
        kind = kinds[tiling.kind]
        raise PassError(f"a {kind} tiling on what is no {kind}", location=describe_op(operator))
    return {}


def _input_number(generic: GenericOp, position: int) -> int:
    """Which of its operator's inputs a generic reads at a position."""
    value = generic.inputs[position]
    assert isinstance(value, BlockArgument)
    return value.index
