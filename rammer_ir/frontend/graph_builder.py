"""The IR that an import grows: the function, its weights, and the generics that most ops come down to."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from xdsl.builder import Builder
from xdsl.dialects.builtin import NameLoc, NoneAttr, StringAttr, TensorType
from xdsl.dialects.tensor import EmptyOp
from xdsl.ir import Attribute, Block, SSAValue
from xdsl.ir.affine import AffineExpr
from xdsl.rewriter import InsertPoint

from rammer_ir.dialects.rop import Combiner, GetWeightOp, WeightOp
from rammer_ir.errors import InvalidInputError
from rammer_ir.frontend import scalars
from rammer_ir.frontend.element_types import Array, is_floating
from rammer_ir.frontend.generics import Read, ScalarBody, Scalars, Write, evaluate_body, generic
from rammer_ir.frontend.indices import broadcast_indices, loop_dims
from rammer_ir.frontend.names import SymbolNames, quoted, value_name
from rammer_ir.frontend.storage_types import stored_array
from rammer_ir.frontend.value import Value
from rammer_ir.locations import builder_at, set_location
from rammer_ir.weights.store import WeightStore


def name_location(name: str) -> NameLoc:
    """The location of an op that comes from the thing of this name in the model."""
    return NameLoc(StringAttr(name), NoneAttr())


class GraphBuilder:
    """
    Adds ops to the end of `body`, and weights to `declarations` and to `weights`.

    Ops get the location of the node that was entered last.
    """

    def __init__(self, declarations: Block, body: Block, weights: WeightStore, symbols: SymbolNames) -> None:
        self._declarations = declarations
        self._body = body
        self._weights = weights
        self._symbols = symbols
        self._read_constants: dict[int, tuple[Array, SSAValue]] = {}
        self.label = ""
        self.builder = Builder(InsertPoint.at_end(body))

    def enter(self, label: str) -> None:
        """From now on, ops come from the node of this label."""
        self.label = label
        self.builder = builder_at(InsertPoint.at_end(self._body), name_location(label))
        self.builder.name_hint = value_name(label)

    def constant(self, array: Array, role: str) -> Value:
        """A constant that the importer made for the current node; `role` says what it is there."""
        return Value.of_array(f"{self.label}_{role}", array)

    def read(self, value: Value) -> SSAValue:
        """
        The value in the IR; a constant becomes a weight when it is first read.

        Raises InvalidInputError for a value without elements: no generic could read it.
        """
        if 0 in value.shape:
            raise self.misfit(value, "no elements")
        if value.ssa is not None:
            return value.ssa
        assert value.constant is not None
        known = self._read_constants.get(id(value.constant))
        if known is not None and known[1].type == value.type:
            return known[1]
        symbol = self._symbols.new(value.name)
        weight = WeightOp(symbol, value.type, hash=self._weights.add(symbol, stored_array(value.constant)))
        set_location(weight, name_location(value.name))
        self._declarations.add_op(weight)
        ssa = self.builder.insert(GetWeightOp(symbol, value.type)).result
        ssa.name_hint = value_name(symbol)
        # The array is kept, so that its id stays its own.
        self._read_constants[id(value.constant)] = (value.constant, ssa)
        return ssa

    def generic(
        self,
        bounds: Sequence[int],
        reads: Sequence[Read],
        writes: Sequence[Write],
        body: ScalarBody,
    ) -> list[Value]:
        """A generic, as `rammer_ir.frontend.generics.generic`."""
        return [Value.of_ssa(self.label, ssa) for ssa in generic(self.builder, bounds, reads, writes, body)]

    def pointwise(
        self,
        operands: Sequence[Value],
        shape: Sequence[int],
        body: ScalarBody,
        element_type: Attribute | None = None,
    ) -> Value:
        """
        A result of the given shape from operands that are broadcast to it.

        Its element type is the first operand's by default. Known operands of one element become constants of the body.
        """
        dims = loop_dims(len(shape))
        self._check_broadcast(operands, shape)
        is_number = [_is_known_number(operand) for operand in operands]
        reads = [
            Read(self.read(operand), broadcast_indices(operand.shape, shape, dims))
            for operand, known in zip(operands, is_number, strict=True)
            if not known
        ]

        def with_numbers(*elements: SSAValue) -> Scalars:
            remaining = iter(elements)
            return evaluate_body(
                body,
                [
                    _number_of(operand) if known else next(remaining)
                    for operand, known in zip(operands, is_number, strict=True)
                ],
            )

        result = TensorType(operands[0].element_type if element_type is None else element_type, shape)
        return self.generic(shape, reads, [Write(result, dims)], with_numbers)[0]

    def _check_broadcast(self, operands: Sequence[Value], shape: Sequence[int]) -> None:
        for operand in operands:
            behind = shape[len(shape) - operand.rank :] if operand.rank <= len(shape) else ()
            if len(behind) != operand.rank or any(
                extent not in (1, wanted) for extent, wanted in zip(operand.shape, behind, strict=True)
            ):
                raise self.misfit(operand, f"shape {list(operand.shape)}, which does not spread to {list(shape)}")

    def misfit(self, value: Value, what: str) -> InvalidInputError:
        """The error that an input of the current node has something that it should not have."""
        return InvalidInputError(f"value {quoted(value.name)} has {what}", location=f"node {quoted(self.label)}")

    def reduce(
        self,
        operand: Value,
        axes: Sequence[int],
        combiner: Combiner,
        *,
        keep_dims: bool = True,
        body: Callable[[SSAValue], SSAValue] = lambda element: element,
        element_type: Attribute | None = None,
    ) -> Value:
        """The operand's elements, each through `body`, combined over some of its dimensions."""
        dims = loop_dims(operand.rank)
        kept = [dim for dim in range(operand.rank) if keep_dims or dim not in axes]
        shape = [1 if dim in axes else operand.shape[dim] for dim in kept]
        written = [AffineExpr.constant(0) if dim in axes else dims[dim] for dim in kept]
        result = TensorType(operand.element_type if element_type is None else element_type, shape)
        is_reduction = any(dim in axes for dim in range(operand.rank))
        write = Write(result, written, combiner if is_reduction else Combiner.NONE)
        return self.generic(operand.shape, [Read(self.read(operand), dims)], [write], body)[0]

    def view(self, value: Value, shape: Sequence[int], indices: Sequence[AffineExpr]) -> Value:
        """The tensor of the given shape whose elements are the value's at `indices`, in terms of its own index."""
        dims = loop_dims(len(shape))
        if tuple(shape) == value.shape and tuple(indices) == dims:
            return value
        result = TensorType(value.element_type, shape)
        read = Read(self.read(value), indices)
        return self.generic(shape, [read], [Write(result, dims)], lambda element: element)[0]

    def copy(self, value: Value) -> Value:
        """A tensor of its own with the value's contents."""
        dims = loop_dims(value.rank)
        read = Read(self.read(value), dims)
        return self.generic(value.shape, [read], [Write(value.type, dims)], lambda element: element)[0]

    def empty(self, shape: Sequence[int], element_type: Attribute) -> SSAValue:
        """A tensor whose contents are not set yet."""
        return self.builder.insert(EmptyOp([], TensorType(element_type, shape))).tensor

    def concatenate(self, values: Sequence[Value], axis: int) -> Value:
        """The values one behind the other: each is copied to its box of one tensor."""
        if len(values) == 1:
            return values[0]
        shape = list(values[0].shape)
        shape[axis] = sum(value.shape[axis] for value in values)
        whole = self.empty(shape, values[0].element_type)
        start = 0
        for value in values:
            dims = loop_dims(value.rank)
            written = [dim + start if position == axis else dim for position, dim in enumerate(dims)]
            write = Write(TensorType(value.element_type, shape), written, into=whole)
            part = self.generic(value.shape, [Read(self.read(value), dims)], [write], lambda element: element)[0]
            whole = self.read(part)
            start += value.shape[axis]
        return Value.of_ssa(self.label, whole)


def _is_known_number(value: Value) -> bool:
    return value.constant is not None and value.constant.size == 1


def _number_of(value: Value) -> SSAValue:
    assert value.constant is not None
    item = value.constant.reshape(())
    return scalars.constant(float(item) if is_floating(value.dtype) else int(item), value.element_type)


def renamed(value: Value, name: str) -> Value:
    """The value under another name of the model."""
    return replace(value, name=name)
