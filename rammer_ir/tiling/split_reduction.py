"""
A reduction split in two: partial sums over parts of a reduced loop, then their sum in a fixed order (split-K).

Each part is written by tasks of its own; a second operator, in a later wave, adds the parts up and does what followed
in the operator. So a few tiles with long sums become many tasks, and the result does not depend on their order.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from xdsl.dialects import arith
from xdsl.dialects.builtin import AffineMapAttr, TensorType
from xdsl.ir import Attribute, Block, BlockArgument, Region, SSAValue
from xdsl.ir.affine import AffineExpr, AffineMap

from rammer_ir.dialects.rop import GenericOp, OperatorOp, YieldOp, tensor_type
from rammer_ir.errors import RammerError
from rammer_ir.locations import describe_op, location_of, set_location
from rammer_ir.tiling.products import is_sum_of_products
from rammer_ir.tiling.task_dimensions import generics_of


@dataclass(frozen=True)
class SplitReduction:
    """
    Two operators in no block, which together compute what one does.

    `partial` writes the sums, with the parts as the first dimension; `total` adds them up. Their inputs are those of
    the operator with the given numbers; the first input of `total` is the result of `partial`.
    """

    partial: OperatorOp
    total: OperatorOp
    partial_inputs: tuple[int, ...]
    total_inputs: tuple[int, ...]

    @classmethod
    def of(cls, operator: OperatorOp, dim: int, parts: int) -> "SplitReduction":
        """Splits reduced loop `dim` of the first generic; raises RammerError where that cannot be."""
        first = generics_of(operator)[0]
        if not can_split(operator) or dim not in first.reduction_dims() or first.bounds[dim] % parts:
            raise RammerError(
                f"the operator has no sum of products whose loop {dim} can be split into {parts} equal parts",
                location=describe_op(operator),
            )
        partial, partial_inputs = _partial_operator(operator, first, dim, parts)
        total, total_inputs = _total_operator(operator, first, parts, partial.res[0])
        return cls(partial, total, partial_inputs, total_inputs)

    def erase(self) -> None:
        """Gives up the uses of the operator's inputs."""
        self.total.erase()
        self.partial.erase()


def can_split(operator: OperatorOp) -> bool:
    """Whether an operator begins with a sum of products outside of loops over steps."""
    first = generics_of(operator)[0]
    return is_sum_of_products(first) and len(first.res) == 1 and not any(op.at for op in generics_of(operator))


def _kept_loops(first: GenericOp) -> list[int]:
    """The loops of the result, in the order in which its dimensions have them."""
    results = first.output_maps[0].data.results
    return list(dict.fromkeys(dim for result in results for dim in sorted(result.used_dims())))


def _numbers(operator: OperatorOp, values: Sequence[SSAValue]) -> tuple[int, ...]:
    """The numbers of the operator's inputs among some values."""
    arguments = (value for value in values if isinstance(value, BlockArgument) and value.block is operator.body.block)
    return tuple(dict.fromkeys(argument.index for argument in arguments))


def _partial_operator(
    operator: OperatorOp, first: GenericOp, dim: int, parts: int
) -> tuple[OperatorOp, tuple[int, ...]]:
    """The sums of each part: the first generic with the parts as its outermost loop."""
    kept, size = _kept_loops(first), first.bounds[dim] // parts
    loops = [AffineExpr.dimension(position + 1) for position in range(len(first.bounds))]
    loops[dim] = loops[dim] + AffineExpr.dimension(0) * size
    reads = [map_attr.data.replace_dims_and_symbols(loops, [], len(loops) + 1, 0) for map_attr in first.input_maps]
    places = (AffineExpr.dimension(0), *(AffineExpr.dimension(position + 1) for position in kept))
    bounds = [size if position == dim else bound for position, bound in enumerate(first.bounds)]
    sums = TensorType(tensor_type(first.res[0]).element_type, [parts, *(first.bounds[loop] for loop in kept)])
    numbers = _numbers(operator, first.inputs)
    block = Block(arg_types=[operator.inputs[number].type for number in numbers])
    inputs = dict(zip(numbers, block.args, strict=True))
    generic = GenericOp(
        [parts, *bounds],
        [AffineMapAttr(affine_map) for affine_map in (*reads, AffineMap(len(loops) + 1, 0, places))],
        [inputs[_numbers(operator, [value])[0]] for value in first.inputs],
        [sums],
        first.body.clone(),
        reduce=first.combiners,
        pad=None if first.pad is None else first.pad.data,
    )
    generic.location = first.location
    block.add_ops([generic, YieldOp(generic)])
    return _operator(operator, [operator.inputs[number] for number in numbers], [sums], block), numbers


def _total_operator(
    operator: OperatorOp, first: GenericOp, parts: int, sums: SSAValue
) -> tuple[OperatorOp, tuple[int, ...]]:
    """The sum of the parts in their order, then the operator's other generics."""
    others = [op for op in operator.body.block.ops if op is not first]
    used = (value for op in others for nested in op.walk() for value in nested.operands)
    numbers = _numbers(operator, [*first.into, *used])
    inputs = [sums, *(operator.inputs[number] for number in numbers)]
    block = Block(arg_types=[value.type for value in inputs])
    arguments = operator.body.block.args
    known: dict[SSAValue, SSAValue] = {
        arguments[number]: value for number, value in zip(numbers, block.args[1:], strict=True)
    }
    total = _sum_of_parts(first, parts, block.args[0], [known[value] for value in first.into])
    known[first.res[0]] = total.res[0]
    block.add_op(total)
    for op in others:
        block.add_op(op.clone(known))
    return _operator(operator, inputs, operator.result_types, block), numbers


def _sum_of_parts(first: GenericOp, parts: int, sums: SSAValue, into: Sequence[SSAValue]) -> GenericOp:
    """An element-wise generic that reads each part: all loads are under way before the first addition."""
    kept = _kept_loops(first)
    rank = len(kept)
    loops = [AffineExpr.dimension(kept.index(dim) if dim in kept else 0) for dim in range(len(first.bounds))]
    reads = [
        AffineMap(rank, 0, (AffineExpr.constant(part), *map(AffineExpr.dimension, range(rank))))
        for part in range(parts)
    ]
    written = first.output_maps[0].data.replace_dims_and_symbols(loops, [], rank, 0)
    element = tensor_type(sums).element_type
    body = Block(arg_types=[element] * parts)
    value: SSAValue[Attribute] = body.args[0]
    for part in body.args[1:]:
        addition = arith.AddfOp(value, part)
        body.add_op(addition)
        value = addition.result
    body.add_op(YieldOp(value))
    generic = GenericOp(
        [first.bounds[loop] for loop in kept],
        [AffineMapAttr(affine_map) for affine_map in (*reads, written)],
        [sums] * parts,
        [first.res[0].type],
        Region(body),
        into=into,
    )
    generic.location = first.location
    return generic


def _operator(
    operator: OperatorOp, inputs: Sequence[SSAValue], results: Sequence[Attribute], block: Block
) -> OperatorOp:
    made = OperatorOp(inputs, results, Region(block))
    set_location(made, location_of(operator))
    return made
