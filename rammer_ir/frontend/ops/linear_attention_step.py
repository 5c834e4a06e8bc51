"""One step of linear attention."""

from collections.abc import Mapping
from dataclasses import dataclass

from xdsl.builder import Builder
from xdsl.dialects.builtin import TensorType
from xdsl.ir import Attribute, SSAValue
from xdsl.ir.affine import AffineExpr

from rammer_ir.dialects.rop import Combiner, tensor_type
from rammer_ir.frontend import scalars
from rammer_ir.frontend.generics import Read, Write, generic
from rammer_ir.frontend.indices import broadcast_indices, loop_dims


@dataclass(frozen=True)
class LinearAttentionSizes:
    """B, T, the heads of queries, those of keys and values, and the elements of a key and of a value."""

    batch: int
    steps: int
    heads: int
    shared: int
    key: int
    value: int

    @property
    def state(self) -> tuple[int, int, int, int]:
        return (self.batch, self.shared, self.key, self.value)


@dataclass(frozen=True)
class LinearAttentionStep:
    """
    S' = exp(g) S + k (b (v - exp(g) S k)) and o = scale q S', without what the update rule leaves out.

    The inputs are `q`, `k`, `v` and, as far as the rule has them, `g` and `b`: [B, heads, size], of which heads and
    size may be 1 of the last two. The state is [B, heads, size of keys, size of values].
    """

    sizes: LinearAttentionSizes
    scale: float
    element: Attribute

    def run(self, builder: Builder, inputs: Mapping[str, SSAValue], state: SSAValue) -> tuple[SSAValue, SSAValue]:
        """The state behind the step, and the step's output [B, heads, size of values]."""
        factors = [self._factors(builder, inputs["g"])] if "g" in inputs else []
        values = inputs["v"]
        if "b" in inputs:
            values = self._corrected(builder, inputs, factors, state)
        following = self._updated(builder, inputs["k"], values, factors, state)
        return following, self._output(builder, inputs["q"], following)

    def _factors(self, builder: Builder, decays: SSAValue) -> SSAValue:
        """exp(g)"""
        dims = loop_dims(3)
        shape = tensor_type(decays).get_shape()
        write = Write(TensorType(self.element, shape), dims)
        return generic(builder, shape, [Read(decays, dims)], [write], scalars.exponential)[0]

    def _read(self, tensor: SSAValue, head: AffineExpr, item: AffineExpr, size: int) -> Read:
        """A read of one of [B, heads, size], in loops of which the first is over B."""
        shape = tensor_type(tensor).get_shape()
        wanted = (self.sizes.batch, self.sizes.shared, size)
        return Read(tensor, broadcast_indices(shape, wanted, (AffineExpr.dimension(0), head, item)))

    def _corrected(
        self, builder: Builder, inputs: Mapping[str, SSAValue], factors: list[SSAValue], state: SSAValue
    ) -> SSAValue:
        """b (v - exp(g) S k)"""
        sizes = self.sizes
        batch, head, column, item = loop_dims(4)
        shape = (sizes.batch, sizes.shared, sizes.value)
        reads = [Read(state, [batch, head, item, column]), Read(inputs["k"], [batch, head, item])]
        reads += [self._read(factor, head, item, sizes.key) for factor in factors]

        def product(s: SSAValue, k: SSAValue, *factor: SSAValue) -> SSAValue:
            return scalars.multiply(scalars.multiply(s, factor[0]) if factor else s, k)

        write = Write(TensorType(self.element, shape), [batch, head, column], Combiner.ADD)
        (known,) = generic(builder, [*shape, sizes.key], reads, [write], product)
        dims = loop_dims(3)
        return generic(
            builder,
            shape,
            [Read(inputs["v"], dims), Read(known, dims), self._read(inputs["b"], head, AffineExpr.constant(0), 1)],
            [Write(TensorType(self.element, shape), dims)],
            lambda v, r, b: scalars.multiply(b, scalars.subtract(v, r)),
        )[0]

    def _updated(
        self, builder: Builder, keys: SSAValue, values: SSAValue, factors: list[SSAValue], state: SSAValue
    ) -> SSAValue:
        """exp(g) S + k v"""
        dims = loop_dims(4)
        batch, head, item, column = dims
        reads = [Read(state, dims), Read(keys, [batch, head, item]), Read(values, [batch, head, column])]
        reads += [self._read(factor, head, item, self.sizes.key) for factor in factors]

        def body(s: SSAValue, k: SSAValue, v: SSAValue, *factor: SSAValue) -> SSAValue:
            kept = scalars.multiply(s, factor[0]) if factor else s
            return scalars.add(kept, scalars.multiply(k, v))

        write = Write(TensorType(self.element, self.sizes.state), dims)
        return generic(builder, self.sizes.state, reads, [write], body)[0]

    def _output(self, builder: Builder, queries: SSAValue, state: SSAValue) -> SSAValue:
        """scale q S', where several heads of queries may share a state."""
        sizes = self.sizes
        sharing = sizes.heads // sizes.shared
        batch, shared, own, column, item = loop_dims(5)
        head = shared * sharing + own
        result = TensorType(self.element, (sizes.batch, sizes.heads, sizes.value))
        (products,) = generic(
            builder,
            [sizes.batch, sizes.shared, sharing, sizes.value, sizes.key],
            [Read(queries, [batch, head, item]), Read(state, [batch, shared, item, column])],
            [Write(result, [batch, head, column], Combiner.ADD)],
            scalars.multiply,
        )
        dims = loop_dims(3)
        return generic(
            builder,
            result.get_shape(),
            [Read(products, dims)],
            [Write(result, dims)],
            lambda o: scalars.multiply(o, scalars.constant_like(self.scale, o)),
        )[0]
