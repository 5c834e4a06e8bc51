"""
Reference semantics of the `rop` level: functions over tensors.

A module's functions may hold `rop` ops, `func` calls, tensor constants, scalar arithmetic and `scf` control flow; see
`rammer_ir.interpreters.generic` for the precision of sums. A tensor that nothing was written to holds NaN.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast

import numpy as np
from xdsl.dialects import func
from xdsl.dialects.builtin import ArrayAttr, DictionaryAttr, ModuleOp, StringAttr, TensorType
from xdsl.interpreter import (
    Interpreter,
    InterpreterFunctions,
    PythonValues,
    ReturnedValues,
    TerminatorValue,
    impl,
    impl_terminator,
    register_impls,
)
from xdsl.interpreters.func import FuncFunctions
from xdsl.interpreters.scf import ScfFunctions
from xdsl.ir import Attribute
from xdsl.utils.exceptions import InterpretationError
from xdsl.utils.symbol_table import SymbolTable

from rammer_ir.dialects import rop
from rammer_ir.errors import InvalidInputError, RammerError
from rammer_ir.interpreters.bindings import Inputs, as_named, as_stored, bound_arrays
from rammer_ir.interpreters.element_types import Array, dtype_of, shape_of, tensor_dtype
from rammer_ir.interpreters.generic import evaluate_generic
from rammer_ir.interpreters.scalar_functions import ScalarFunctions, TensorFunctions
from rammer_ir.locations import describe_op


def run_module(module: ModuleOp, inputs: Inputs, weights: Mapping[str, Array], entry: str = "main") -> list[Array]:
    """
    The results of a function of the module.

    `inputs` gives an array for every argument, by its `rop.name` or its position; `weights` one for every weight
    with a hash, by symbol (and for derived ones whose value is known). Raises InvalidInputError for arrays that are
    missing or of another shape or dtype, and RammerError for ops that the interpreters do not know, reads out of range
    and elements written twice.
    """
    return run_function(rop_interpreter(module, weights), inputs, entry)


def evaluate_recipe(weight: rop.WeightOp, module: ModuleOp, weights: Mapping[str, Array]) -> Array:
    """
    The value of a derived weight, from `weights` for those with a hash; raises as `run_module` does.
    """
    return recipe_value(weight, rop_interpreter(module, weights))


def recipe_value(weight: rop.WeightOp, interpreter: Interpreter) -> Array:
    """The value of a derived weight of the module that an interpreter is for; raises as `run_module` does."""
    if weight.recipe is None:
        raise RammerError(f"weight @{weight.sym_name.data} has no recipe", location=describe_op(weight))
    return cast("Array", interpreter.run_ssacfg_region(weight.recipe, ())[0])


def weight_values(module: ModuleOp, weights: Mapping[str, Array], names: Sequence[str]) -> list[Array]:
    """The values of weights by symbol, derived or not; raises as `run_module` does."""
    interpreter, functions = Interpreter(module), RopFunctions(module, weights)
    for known in (functions, ScalarFunctions(), TensorFunctions()):
        interpreter.register_implementations(known)
    return [functions.weight(interpreter, name) for name in names]


def rop_interpreter(module: ModuleOp, weights: Mapping[str, Array]) -> Interpreter:
    """An interpreter that knows the `rop` level; tensors are arrays, numbers are arrays of rank 0."""
    interpreter = Interpreter(module)
    functions = (RopFunctions(module, weights), ScalarFunctions(), TensorFunctions(), FuncFunctions(), ScfFunctions())
    for known in functions:
        interpreter.register_implementations(known)
    return interpreter


def run_function(interpreter: Interpreter, inputs: Inputs, entry: str) -> list[Array]:
    """As `run_module`, by an interpreter that may know more levels."""
    function = SymbolTable(interpreter.module).lookup(entry)
    if not isinstance(function, func.FuncOp):
        raise InvalidInputError(f"the module has no function @{entry}")
    args = _arguments(function, inputs)
    try:
        results = interpreter.call_op(function, args)
    except InterpretationError as error:
        raise RammerError(str(error)) from None
    except RammerError as error:
        # The interpreter notes the whole module's text for every level of calls.
        vars(error).pop("__notes__", None)
        raise
    elements = _texts(function.res_attrs, rop.ELEMENT_TYPE_ATTRIBUTE, len(results))
    return [as_named(np.asarray(value), element) for value, element in zip(results, elements, strict=True)]


@register_impls
class RopFunctions(InterpreterFunctions):
    """The ops of the `rop` dialect."""

    def __init__(self, module: ModuleOp, weights: Mapping[str, Array]) -> None:
        self._symbols = SymbolTable(module)
        self._weights = weights
        self._derived: dict[str, Array] = {}

    @impl(rop.GenericOp)
    def run_generic(self, interpreter: Interpreter, op: rop.GenericOp, args: PythonValues) -> PythonValues:
        return evaluate_generic(op, lambda value: interpreter.get_values((value,))[0])

    @impl(rop.OperatorOp)
    def run_operator(self, interpreter: Interpreter, op: rop.OperatorOp, args: PythonValues) -> PythonValues:
        return interpreter.run_ssacfg_region(op.body, args, op.name)

    @impl_terminator(rop.YieldOp)
    def run_yield(
        self, interpreter: Interpreter, op: rop.YieldOp, args: PythonValues
    ) -> tuple[TerminatorValue, PythonValues]:
        return ReturnedValues(args), ()

    @impl(rop.GetWeightOp)
    def run_get_weight(self, interpreter: Interpreter, op: rop.GetWeightOp, args: PythonValues) -> PythonValues:
        return (self.weight(interpreter, op.weight.string_value()),)

    def weight(self, interpreter: Interpreter, name: str) -> Array:
        """A weight's value: as it was given, or by its recipe, evaluated once."""
        declared = self._symbols.lookup(name)
        if not isinstance(declared, rop.WeightOp):
            raise RammerError(f"the module has no weight @{name}")
        if name in self._weights:
            return checked(self._weights[name], declared.type, f"weight @{name}")
        if declared.recipe is None:
            raise InvalidInputError(f"no array is given for weight @{name}", location=describe_op(declared))
        if name not in self._derived:
            self._derived[name] = interpreter.run_ssacfg_region(declared.recipe, (), name)[0]
        return self._derived[name]

    @impl(rop.ScanOp)
    def run_scan(self, interpreter: Interpreter, op: rop.ScanOp, args: PythonValues) -> PythonValues:
        length, tensors = int(args[0]), args[1:]
        scanned = tensors[: len(op.scanned)]
        carried = tensors[len(scanned) : len(scanned) + len(op.carried)]
        captured = tensors[len(scanned) + len(carried) :]
        results = [np.zeros(shape_of(value.type), tensor_dtype(value.type)) for value in op.scanned_results]
        for rows in (*scanned, *results):
            if not 0 <= length <= rows.shape[0]:
                raise InvalidInputError(f"a length of {length} for {rows.shape[0]} rows", location=describe_op(op))
        for row in scan_rows(op, length):
            slices = [tensor[row] for tensor in scanned]
            step = (np.asarray(row), *slices, *carried, *captured)
            yielded = interpreter.run_ssacfg_region(op.body, step, op.name)
            carried = yielded[: len(carried)]
            for result, values in zip(results, yielded[len(carried) :], strict=True):
                result[row] = values
        return (*carried, *results)


def scan_rows(op: rop.ScanOp, length: int) -> Iterable[int]:
    """The rows of a scan in the order of its steps; a step's index is its row."""
    rows = range(length)
    return reversed(rows) if op.reverse is not None else rows


def _arguments(function: func.FuncOp, inputs: Inputs) -> tuple[Array, ...]:
    types = function.function_type.inputs.data
    owner = f"@{function.sym_name.data}"
    names = _texts(function.arg_attrs, "rop.name", len(types))
    elements = _texts(function.arg_attrs, rop.ELEMENT_TYPE_ATTRIBUTE, len(types))
    arrays = bound_arrays(inputs, names, owner)
    return tuple(
        checked(
            array if element is None else as_stored(array, element, tensor_dtype(wanted)),
            wanted,
            f"input {position if name is None else name} of {owner}",
        )
        for position, (array, wanted, name, element) in enumerate(zip(arrays, types, names, elements, strict=True))
    )


def _texts(dictionaries: ArrayAttr[DictionaryAttr] | None, attribute: str, count: int) -> list[str | None]:
    """An attribute of all arguments, or of all results, of a function; None where there is none."""
    if dictionaries is None:
        return [None] * count
    texts = [attributes.data.get(attribute) for attributes in dictionaries.data]
    return [text.data if isinstance(text, StringAttr) else None for text in texts]


def checked(array: Any, wanted: Attribute, what: str) -> Array:
    """The array, if it is one of the type; raises InvalidInputError with `what` it is if not."""
    values = np.asarray(array)
    if isinstance(wanted, TensorType):
        shape, dtype = cast("TensorType[Attribute]", wanted).get_shape(), tensor_dtype(cast("Attribute", wanted))
    else:
        shape, dtype = (), dtype_of(wanted)
    fits = len(shape) == values.ndim and all(
        extent < 0 or extent == actual for extent, actual in zip(shape, values.shape, strict=True)
    )
    if not fits or values.dtype != dtype:
        raise InvalidInputError(f"{what} is {values.dtype}{list(values.shape)}, not of type {wanted}")
    return values


__all__ = [
    "RopFunctions",
    "checked",
    "evaluate_recipe",
    "recipe_value",
    "rop_interpreter",
    "run_function",
    "run_module",
    "scan_rows",
    "weight_values",
]
