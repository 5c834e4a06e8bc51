"""Multiplications by weights after a contraction become part of its weight."""

from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects import arith
from xdsl.dialects.builtin import AffineMapAttr, ModuleOp, TensorType, UnitAttr
from xdsl.dialects.func import FuncOp
from xdsl.ir import Attribute, Block, OpResult, Region, SSAValue
from xdsl.ir.affine import AffineExpr, AffineMap
from xdsl.rewriter import InsertPoint, Rewriter

from rammer_ir.dialects.rop import Combiner, GenericOp, GetWeightOp, YieldOp, tensor_type
from rammer_ir.generics.affine_chains import AffineChain, affine_chains
from rammer_ir.generics.affine_links import AffineLink
from rammer_ir.generics.blocks import generic_blocks
from rammer_ir.locations import fuse_locations, set_location
from rammer_ir.pass_api import Pass
from rammer_ir.symbols import FreshSymbols
from rammer_ir.weights.derivation import derive_weight


@dataclass(frozen=True)
class FoldScales(Pass):
    """
    Scales a contraction's weight instead of its result, and joins what is multiplied and added element by element.

    A chain of element-wise generics that multiply a tensor by weights and add weights, all of one dimension (biases,
    batch normalisation, scales by channel), is `x * factor + addend`; factor and addend become derived weights. Where x
    is the result of a sum of products with a weight, its weight is multiplied by the factor, so that one addition
    remains; else one generic of two weights. Chains that only add, and are no longer than one generic, stay.
    """

    name = "fold-scales"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        symbols = FreshSymbols(op)
        for block in list(generic_blocks(op)):
            if not isinstance(block.parent_op(), FuncOp):
                continue
            generics = (inner for inner in list(block.ops) if isinstance(inner, GenericOp))
            links = [link for generic in generics if (link := AffineLink.of(generic)) is not None]
            for chain in affine_chains(links):
                if len(chain.dims) == 1:
                    _fold(chain, symbols)
        for read in [inner for inner in op.walk() if isinstance(inner, GetWeightOp) and not inner.result.uses]:
            read.detach()
            read.erase()


def _fold(chain: AffineChain, symbols: FreshSymbols) -> None:
    product = _ScaledProduct.of(chain) if chain.scales else None
    if product is None and len(chain.links) < 2:
        return
    name = chain.last.res[0].name_hint or "scaled"
    factor = _derived(chain, chain.factor(), symbols.new(f"{name}_factor")) if chain.scales else None
    addition = chain.addend()
    addend = None if addition is None else _derived(chain, addition, symbols.new(f"{name}_addend"))
    x = chain.x
    if product is not None and factor is not None:
        x, factor = product.scaled(factor, symbols), None
    result = _joined(chain, x, factor, addend)
    result.name_hint = chain.last.res[0].name_hint
    chain.last.res[0].replace_all_uses_with(result)
    for link in reversed(chain.links):
        link.generic.detach()
        link.generic.erase()
    if product is not None:
        product.generic.detach()
        product.generic.erase()


def _derived(chain: AffineChain, computation: GenericOp, symbol: str) -> SSAValue:
    Rewriter.insert_op(computation, InsertPoint.before(chain.last))
    return derive_weight(computation, symbol)


def _joined(chain: AffineChain, x: SSAValue, factor: SSAValue | None, addend: SSAValue | None) -> SSAValue:
    """`x * factor + addend`, with what there is of the two."""
    if factor is None and addend is None:
        return x
    weights = [weight for weight in (factor, addend) if weight is not None]
    element = tensor_type(x).element_type
    body = Block(arg_types=[element] * (1 + len(weights)))
    value, *numbers = body.args
    if factor is not None:
        product = arith.MulfOp(value, numbers[0])
        body.add_op(product)
        value = product.result
    if addend is not None:
        total = arith.AddfOp(value, numbers[-1])
        body.add_op(total)
        value = total.result
    body.add_op(YieldOp(value))
    rank = len(chain.last.bounds)
    by_dim = AffineMap(rank, 0, tuple(AffineExpr.dimension(dim) for dim in chain.dims))
    identity = AffineMap.identity(rank)
    maps = [AffineMapAttr(each) for each in (identity, *(by_dim for _ in weights), identity)]
    generic = GenericOp(chain.last.bounds, maps, [x, *weights], [x.type], Region(body))
    set_location(generic, fuse_locations(link.generic for link in chain.links))
    Rewriter.insert_op(generic, InsertPoint.before(chain.last))
    return generic.res[0]


@dataclass(frozen=True)
class _ScaledProduct:
    """
    The sum of products whose result a chain scales; input number `weight` is a weight.

    Dimension `dim` of the weight is the one by which the chain scales.
    """

    generic: GenericOp
    weight: int
    dim: int

    @classmethod
    def of(cls, chain: AffineChain) -> "_ScaledProduct | None":
        """The product that makes x; None if it is none, or something else needs it."""
        x = chain.x
        if not isinstance(x, OpResult) or not isinstance(x.op, GenericOp) or not x.has_one_use():
            return None
        generic = x.op
        weights = [number for number, value in enumerate(generic.inputs) if isinstance(value.owner, GetWeightOp)]
        if len(weights) != 1 or not _is_sum_of_products(generic):
            return None
        scaled = generic.output_maps[0].data.results[chain.dims[0]]
        read = generic.input_maps[weights[0]].data.results
        is_padded = not isinstance(generic.pads[weights[0]], UnitAttr)
        return None if is_padded or scaled not in read else cls(generic, weights[0], read.index(scaled))

    def scaled(self, factor: SSAValue, symbols: FreshSymbols) -> SSAValue:
        """The result of the product with the weight times the factor."""
        source = self.generic.inputs[self.weight]
        weight = derive_weight(self._multiplication(source, factor), symbols.new(f"{_symbol(source)}_scaled"))
        new = self.generic.clone({source: weight})
        new.location = self.generic.location
        Rewriter.insert_op(new, InsertPoint.before(self.generic))
        new.res[0].name_hint = self.generic.res[0].name_hint
        return new.res[0]

    def _multiplication(self, source: SSAValue, factor: SSAValue) -> GenericOp:
        tensor: TensorType[Attribute] = tensor_type(source)
        body = Block(arg_types=[tensor.element_type] * 2)
        product = arith.MulfOp(body.args[0], body.args[1])
        body.add_ops([product, YieldOp(product)])
        rank = len(tensor.get_shape())
        maps = [AffineMap.identity(rank), AffineMap(rank, 0, (AffineExpr.dimension(self.dim),))]
        generic = GenericOp(
            tensor.get_shape(),
            [AffineMapAttr(each) for each in (*maps, maps[0])],
            [source, factor],
            [tensor],
            Region(body),
        )
        set_location(generic, self.generic.location)
        Rewriter.insert_op(generic, InsertPoint.before(self.generic))
        return generic


def _symbol(weight: SSAValue) -> str:
    assert isinstance(weight.owner, GetWeightOp)
    return weight.owner.weight.string_value()


def _is_sum_of_products(generic: GenericOp) -> bool:
    """Whether a generic multiplies its two inputs, and adds up if anything."""
    match list(generic.body.block.ops):
        case [arith.MulfOp() as product, YieldOp() as last]:
            multiplies = set(product.operands) == set(generic.body.block.args) and last.values[0] is product.result
        case _:
            multiplies = False
    return multiplies and not generic.into and not generic.at and generic.combiners[0] in (Combiner.ADD, Combiner.NONE)
