"""Weights lie in the order in which those who read them walk."""

from dataclasses import dataclass, field

from xdsl.context import Context
from xdsl.dialects.builtin import AffineMapAttr, ArrayAttr, ModuleOp, TensorType
from xdsl.dialects.func import FuncOp
from xdsl.ir import Attribute, Block, Region, SSAValue
from xdsl.ir.affine import AffineDimExpr, AffineExpr, AffineMap
from xdsl.rewriter import InsertPoint, Rewriter

from rammer_ir.dialects.rop import GenericOp, GetWeightOp, YieldOp, used_dims
from rammer_ir.generics.blocks import generic_blocks
from rammer_ir.locations import set_location
from rammer_ir.pass_api import Pass
from rammer_ir.symbols import FreshSymbols
from rammer_ir.weights.derivation import derive_weight

Order = tuple[int, ...]
"""For each dimension of an ordered weight, that of its source."""


@dataclass(frozen=True)
class OrderWeights(Pass):
    """
    Permutes weights of which each element meets one element of an image, as the filters of a depthwise convolution.

    Reduced loops come first, then those of the result in its order: so what neighbours in the result need are
    neighbours in the weight, [y, x, channel] for images with channels last. The permuted weight is a derived one; a
    weight of a matrix product, which its kernels pack, stays.
    """

    name = "order-weights"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        known = _OrderedWeights(FreshSymbols(op))
        for block in list(generic_blocks(op)):
            if not isinstance(block.parent_op(), FuncOp):
                continue
            for generic in [inner for inner in block.ops if isinstance(inner, GenericOp)]:
                for position in range(len(generic.inputs)):
                    known.order(generic, position)
        for read in [inner for inner in op.walk() if isinstance(inner, GetWeightOp) and not inner.result.uses]:
            read.detach()
            read.erase()


@dataclass(frozen=True)
class _OrderedWeights:
    symbols: FreshSymbols
    values: dict[tuple[Block | None, str, Order], SSAValue] = field(
        default_factory=dict[tuple["Block | None", str, Order], SSAValue]
    )

    def order(self, generic: GenericOp, position: int) -> None:
        """Have a generic read an input that is a weight in its own order."""
        value, affine_map = generic.inputs[position], generic.input_maps[position].data
        if not isinstance(value.owner, GetWeightOp):
            return
        order = _better_order(generic, position)
        if order is None:
            return
        key = (generic.parent_block(), value.owner.weight.string_value(), order)
        if key not in self.values:
            name = self.symbols.new(f"{value.owner.weight.string_value()}_ordered")
            self.values[key] = derive_weight(_permutation(value.owner, order), name)
        results = tuple(affine_map.results[dim] for dim in order)
        maps = list(generic.maps.data)
        maps[position] = AffineMapAttr(AffineMap(affine_map.num_dims, affine_map.num_symbols, results))
        generic.maps = ArrayAttr(maps)
        generic.operands[position] = self.values[key]


def _better_order(generic: GenericOp, position: int) -> Order | None:
    """The order for an input, without dimensions of one element; None if it has it, or is not to be permuted."""
    affine_map = generic.input_maps[position].data
    plain = [
        (dim, result.position) for dim, result in enumerate(affine_map.results) if isinstance(result, AffineDimExpr)
    ]
    loops = {loop for _, loop in plain}
    others = {dim for other, each in enumerate(generic.input_maps) if other != position for dim in used_dims(each)}
    if len(plain) < 2 or len(loops) < len(plain) or used_dims(generic.input_maps[position]) - loops or loops - others:
        return None
    written = [loop for result in generic.output_maps[0].data.results for loop in sorted(result.used_dims())]
    reduced = set(generic.reduction_dims())
    places = {loop: (loop not in reduced, written.index(loop) if loop in written else loop) for loop in loops}
    order = tuple(dim for dim, _ in sorted(plain, key=lambda each: places[each[1]]))
    return None if order == tuple(dim for dim, _ in plain) else order


def _permutation(read: GetWeightOp, order: Order) -> GenericOp:
    """The generic that makes the permuted weight, before its first use."""
    source: TensorType[Attribute] = read.result.type
    shape = [source.get_shape()[dim] for dim in order]
    results: list[AffineExpr] = [AffineExpr.constant(0)] * len(source.get_shape())
    for position, dim in enumerate(order):
        results[dim] = AffineExpr.dimension(position)
    element = Block(arg_types=[source.element_type])
    element.add_op(YieldOp(element.args[0]))
    maps = [AffineMapAttr(AffineMap(len(order), 0, tuple(results))), AffineMapAttr(AffineMap.identity(len(order)))]
    permuted = GenericOp(shape, maps, [read.result], [TensorType(source.element_type, shape)], Region(element))
    set_location(permuted, read.location)
    Rewriter.insert_op(permuted, InsertPoint.after(read))
    return permuted
