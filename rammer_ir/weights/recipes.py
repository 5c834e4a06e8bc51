"""Derived weights: their values, and the computations that may become some."""

import hashlib
from collections.abc import Iterable
from math import prod
from typing import TYPE_CHECKING

import numpy as np
from xdsl.dialects.builtin import ModuleOp, StringAttr, SymbolRefAttr
from xdsl.ir import Operation

from rammer_ir.dialects.rop import GetWeightOp, WeightOp
from rammer_ir.errors import VerificationError
from rammer_ir.interpreters.element_types import tensor_dtype
from rammer_ir.interpreters.rop import recipe_value, rop_interpreter
from rammer_ir.locations import describe_op
from rammer_ir.weights.store import Array, WeightStore

if TYPE_CHECKING:
    from rammer_ir.runtime.interface import ByteCache


def weight_ops(module: ModuleOp) -> dict[str, WeightOp]:
    """The module's weights by symbol, in its order."""
    return {op.sym_name.data: op for op in module.ops if isinstance(op, WeightOp)}


def weights_read(op: Operation) -> list[str]:
    """Symbols of the weights that are read in an op, in the order of their first use."""
    reads = (nested for nested in op.walk() if isinstance(nested, GetWeightOp))
    return list(dict.fromkeys(read.weight.string_value() for read in reads))


def evaluate_recipes(
    module: ModuleOp, weights: WeightStore, cache: "ByteCache | None" = None, *, needed: Iterable[str] | None = None
) -> None:
    """
    Adds the values of the module's derived weights to the store: of those `needed`, and of what their recipes read.

    A value is computed once for a recipe's text and the contents of its sources: the store and the cache are asked
    first, and a cached value of the wrong size counts as absent. Raises VerificationError for a recipe that needs
    itself or an unknown weight, CacheError where the cache cannot be written.
    """
    ops = weight_ops(module)
    interpreter = rop_interpreter(module, weights)
    for symbol in in_order_of_need(ops, ops if needed is None else needed):
        op = ops[symbol]
        key = _recipe_key(op, weights)
        known = weights.derived(key)
        stored = None if known is not None or cache is None else cache.get(key)
        value = _from_bytes(op, known.tobytes() if known is not None else stored)
        if value is None:
            value = recipe_value(op, interpreter)
            if cache is not None:
                cache.put(key, value.tobytes())
        weights.add_derived(symbol, key, value)


def in_order_of_need(ops: dict[str, WeightOp], needed: Iterable[str]) -> list[str]:
    """Derived weights that are needed, each after those that its recipe reads."""
    ordered: dict[str, None] = {}
    for symbol in needed:
        _visit(symbol, ops, ordered, ())
    return [symbol for symbol in ordered if ops[symbol].recipe is not None]


def _visit(symbol: str, ops: dict[str, WeightOp], ordered: dict[str, None], path: tuple[str, ...]) -> None:
    if symbol in ordered:
        return
    if symbol not in ops:
        raise VerificationError(f"the recipe of weight @{path[-1]} reads @{symbol}, which does not exist")
    if symbol in path:
        raise VerificationError(f"the recipe of weight @{symbol} needs itself", location=describe_op(ops[symbol]))
    for source in weights_read(ops[symbol]):
        _visit(source, ops, ordered, (*path, symbol))
    ordered[symbol] = None


def _recipe_key(op: WeightOp, weights: WeightStore) -> str:
    """A hash of the recipe's text, free of names: hashes of contents stand for the sources' symbols."""
    copy = op.clone()
    copy.sym_name = StringAttr("recipe")
    for nested in copy.walk():
        if isinstance(nested, GetWeightOp):
            nested.weight = SymbolRefAttr(f"sha256_{weights.hash_of(nested.weight.string_value())}")
        arguments = (argument for region in nested.regions for block in region.blocks for argument in block.args)
        for value in (*nested.results, *arguments):
            value.name_hint = None
    return f"weight-{hashlib.sha256(str(copy).encode()).hexdigest()}"


def _from_bytes(op: WeightOp, data: bytes | None) -> Array | None:
    dtype = tensor_dtype(op.type)
    if data is None or len(data) != prod(op.type.get_shape()) * dtype.itemsize:
        return None
    return np.frombuffer(data, dtype).reshape(op.type.get_shape())
