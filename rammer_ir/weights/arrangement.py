"""The weights of a program in one arena, each where the program expects it."""

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from xdsl.dialects.builtin import ModuleOp

from rammer_ir.errors import InvalidInputError
from rammer_ir.interpreters.rop import recipe_value, rop_interpreter
from rammer_ir.weights.recipes import in_order_of_need, weight_ops, weights_read
from rammer_ir.weights.store import Array, WeightStore, aligned_zeros, bytes_of

if TYPE_CHECKING:
    from numpy.typing import NDArray


def arrange_weights(
    module: ModuleOp, weights: WeightStore, places: Sequence[tuple[str, int]], size: int
) -> "NDArray[np.uint8]":
    """
    An arena of `size` bytes, aligned to 256, with each weight of the module at its offset; bytes between are zero.

    Values of derived weights are kept no longer than others need them: apart from the arena, there is never a second
    copy of all weights. Raises InvalidInputError for a symbol that the module or the store does not have,
    VerificationError for a recipe that needs itself or an unknown weight.
    """
    ops = weight_ops(module)
    offsets = dict(places)
    for symbol in offsets:
        if symbol not in ops or (ops[symbol].recipe is None and symbol not in weights):
            raise InvalidInputError(f"there is no weight @{symbol} in the store")
    arena = aligned_zeros(size)
    for symbol, offset in places:
        if ops[symbol].recipe is None:
            _place(arena, offset, weights[symbol])
    order = in_order_of_need(ops, offsets)
    readers = Counter(source for symbol in order for source in weights_read(ops[symbol]))
    values: dict[str, Array] = dict(weights)
    interpreter = rop_interpreter(module, values)
    for symbol in order:
        values[symbol] = recipe_value(ops[symbol], interpreter)
        if symbol in offsets:
            _place(arena, offsets[symbol], values[symbol])
        sources = weights_read(ops[symbol])
        readers.subtract(sources)
        for known in (symbol, *sources):
            if not readers[known]:
                values.pop(known, None)
    return arena


def _place(arena: "NDArray[np.uint8]", offset: int, value: Array) -> None:
    data = bytes_of(value)
    arena[offset : offset + data.size] = data
