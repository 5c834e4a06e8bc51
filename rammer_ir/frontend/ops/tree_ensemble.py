"""TreeEnsemble."""

from collections.abc import Callable, Sequence
from functools import reduce
from typing import Any, cast

import ml_dtypes
import numpy as np
from numpy.typing import NDArray
from xdsl.dialects.builtin import TensorType
from xdsl.ir import SSAValue

from rammer_ir.dialects.rop import Combiner
from rammer_ir.frontend import scalars
from rammer_ir.frontend.computed_indices import as_index, extract, loop_index
from rammer_ir.frontend.generics import Read, Write
from rammer_ir.frontend.graph_builder import GraphBuilder
from rammer_ir.frontend.indices import loop_dims
from rammer_ir.frontend.node import Node
from rammer_ir.frontend.ops.decision_trees import Mode, TreeTable, read_trees
from rammer_ir.frontend.registry import onnx_op
from rammer_ir.frontend.value import Value

_PREDICATES = {
    Mode.LESS_OR_EQUAL: "le",
    Mode.LESS: "lt",
    Mode.GREATER_OR_EQUAL: "ge",
    Mode.GREATER: "gt",
    Mode.EQUAL: "eq",
    Mode.NOT_EQUAL: "ne",
}
_COMBINERS = (Combiner.ADD, Combiner.ADD, Combiner.MINIMUM, Combiner.MAXIMUM)
"""By aggregate_function: average, sum, least, greatest."""
_AVERAGE = 0


@onnx_op("TreeEnsemble", domain="ai.onnx.ml", since=5)
def tree_ensemble(node: Node, build: GraphBuilder) -> Value:
    """
    For each row of the input [B, features] and each target: the weights of the leaves that it reaches, put together.

    Every row walks down every tree at once, by reads of a table at computed indices.
    """
    operand, targets = node.input(0), node.integer("n_targets", 0)
    aggregate = node.integer("aggregate_function", 1)
    if operand.rank != 2 or targets <= 0 or not 0 <= aggregate < len(_COMBINERS):
        raise node.error("needs an input [rows, features], n_targets and an aggregate_function from 0 to 3")
    if node.integer("post_transform", 0) != 0:
        raise node.error("with a post_transform is not supported")
    table = read_trees(node)
    if not all(0 <= target < targets for target in table.targets) or max(table.features) >= operand.shape[1]:
        raise node.error("has targets or features that do not exist")
    leaves = _leaves(build, operand, table)
    return _aggregated(build, operand, table, leaves, targets, aggregate)


def _column(build: GraphBuilder, items: Sequence[Any] | NDArray[Any], dtype: Any, name: str) -> SSAValue:
    return build.read(build.constant(np.array(items, dtype), name))


def _leaves(build: GraphBuilder, operand: Value, table: TreeTable) -> Value:
    """The leaves that each row reaches in each tree [B, trees], i32."""
    source = build.read(operand)
    columns = {
        name: _column(build, items, np.int32, name)
        for name, items in (("features", table.features), ("if_true", table.if_true), ("if_false", table.if_false))
    }
    numbers = _column(build, table.numbers, operand.dtype, "numbers")
    holds = _condition(build, table)
    roots = build.constant(np.array(table.roots, np.int32), "roots")
    dims = loop_dims(2)
    shape = (operand.shape[0], len(table.roots))

    def body(root: SSAValue) -> SSAValue:
        current = root
        for _ in range(table.depth):
            place = as_index(current)
            feature = as_index(extract(columns["features"], [place]))
            value = extract(source, [loop_index(0), feature])
            is_true = holds(place, value, extract(numbers, [place]))
            if_true, if_false = (extract(columns[name], [place]) for name in ("if_true", "if_false"))
            current = scalars.select(is_true, if_true, if_false)
        return current

    write = Write(TensorType(roots.element_type, shape), dims)
    return build.generic(shape, [Read(build.read(roots), [dims[1]])], [write], body)[0]


def _condition(build: GraphBuilder, table: TreeTable) -> Callable[[SSAValue, SSAValue, SSAValue], SSAValue]:
    """From a node, the feature and the node's number to whether the way is the true one."""
    inner = [mode for number, mode in enumerate(table.modes) if table.if_true[number] != number]
    modes = sorted(set(inner or table.modes))
    kinds = _column(build, table.modes, np.int32, "modes") if len(modes) > 1 else None
    missing = _column(build, table.missing, np.bool_, "missing") if any(table.missing) else None

    def holds(place: SSAValue, value: SSAValue, number: SSAValue) -> SSAValue:
        results = [scalars.compare(_PREDICATES[Mode(mode)], value, number) for mode in modes]
        result = results[0]
        if kinds is not None:
            kind = extract(kinds, [place])
            parts = [
                scalars.both(scalars.compare("eq", kind, scalars.constant_like(mode, kind)), found)
                for mode, found in zip(modes, results, strict=True)
            ]
            result = reduce(scalars.either, parts)
        if missing is None:
            return result
        is_missing = scalars.both(scalars.compare("ne", value, value), extract(missing, [place]))
        return scalars.either(result, is_missing)

    return holds


def _aggregated(
    build: GraphBuilder, operand: Value, table: TreeTable, leaves: Value, targets: int, aggregate: int
) -> Value:
    """The weights of the leaves put together for each target [B, targets]."""
    combiner = _COMBINERS[aggregate]
    limits = cast("Any", ml_dtypes.finfo(operand.dtype))
    start = {Combiner.ADD: 0.0, Combiner.MINIMUM: float(limits.max), Combiner.MAXIMUM: float(limits.min)}[combiner]
    factor = 1 / len(table.roots) if aggregate == _AVERAGE else 1.0
    weights = _column(build, _scaled(table.weights, factor), operand.dtype, "weights")
    owners = _column(build, table.targets, np.int32, "targets")
    row, target, tree = loop_dims(3)
    shape = (operand.shape[0], targets)
    numbers = build.constant(np.arange(targets, dtype=np.int32), "target_numbers")

    def body(leaf: SSAValue, number: SSAValue) -> SSAValue:
        place = as_index(leaf)
        is_own = scalars.compare("eq", extract(owners, [place]), number)
        return scalars.select(is_own, extract(weights, [place]), scalars.constant(start, operand.element_type))

    reads = [Read(build.read(leaves), [row, tree]), Read(build.read(numbers), [target])]
    write = Write(TensorType(operand.element_type, shape), [row, target], combiner)
    return build.generic((*shape, len(table.roots)), reads, [write], body)[0]


def _scaled(weights: Sequence[float], factor: float) -> NDArray[np.float64]:
    return np.array(weights) * factor
