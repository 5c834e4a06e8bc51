"""The scalar ops of `arith` and `math`, and small ops of `tensor`, for xDSL's interpreter."""

from typing import Any

import numpy as np
from xdsl.dialects import arith, tensor
from xdsl.interpreter import Interpreter, InterpreterFunctions, PythonValues, impl, register_impls
from xdsl.ir import Operation

from rammer_ir.errors import RammerError
from rammer_ir.interpreters.element_types import Array, poisoned, tensor_dtype
from rammer_ir.interpreters.scalar_ops import SCALAR_FUNCTIONS, evaluate_scalar_op
from rammer_ir.interpreters.tensor_access import in_range
from rammer_ir.locations import describe_op

_OPS = (*SCALAR_FUNCTIONS, arith.ConstantOp, arith.CmpiOp, arith.CmpfOp, arith.BitcastOp)


def _run_scalar_op(
    self: InterpreterFunctions, interpreter: Interpreter, op: Operation, args: PythonValues
) -> PythonValues:
    with np.errstate(all="ignore"):
        return (evaluate_scalar_op(op, tuple(np.asarray(arg) for arg in args)),)


ScalarFunctions = register_impls(
    type("ScalarFunctions", (InterpreterFunctions,), {op.__name__: impl(op)(_run_scalar_op) for op in _OPS})
)
"""Every op that `evaluate_scalar_op` knows; values are arrays, of rank 0 for a single number."""


@register_impls
class TensorFunctions(InterpreterFunctions):
    """Tensors are arrays; the contents of an empty tensor are poisoned."""

    @impl(tensor.EmptyOp)
    def run_empty(self, interpreter: Interpreter, op: tensor.EmptyOp, args: PythonValues) -> PythonValues:
        sizes = iter(args)
        shape = tuple(int(next(sizes)) if extent < 0 else extent for extent in _tensor_shape(op))
        return (poisoned(shape, tensor_dtype(op.tensor.type)),)

    @impl(tensor.DimOp)
    def run_dim(self, interpreter: Interpreter, op: tensor.DimOp, args: PythonValues) -> PythonValues:
        source, dim = args
        return (np.asarray(source.shape[int(dim)]),)

    @impl(tensor.ExtractOp)
    def run_extract(self, interpreter: Interpreter, op: tensor.ExtractOp, args: PythonValues) -> PythonValues:
        return (extract(op, args[0], args[1:]),)


def extract(op: tensor.ExtractOp, source: Array, index: tuple[Any, ...]) -> Array:
    """The elements at an index, or at an array of them; raises RammerError if one is out of range."""
    arrays = tuple(np.asarray(part) for part in index)
    if in_range(arrays, source.shape) is not None:
        raise RammerError(
            f"an index of tensor.extract leaves a tensor of shape {list(source.shape)}", location=describe_op(op)
        )
    return np.asarray(source[arrays])


def _tensor_shape(op: tensor.EmptyOp) -> tuple[int, ...]:
    return op.tensor.type.get_shape()
