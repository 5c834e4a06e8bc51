"""Run a module before and after passes, and compare the results."""

from collections.abc import Mapping
from typing import Protocol, cast
from zlib import crc32

import numpy as np
from xdsl.dialects.builtin import IndexType, ModuleOp, StringAttr
from xdsl.dialects.func import FuncOp
from xdsl.ir import Attribute, SSAValue
from xdsl.passes import ModulePass
from xdsl.utils.symbol_table import SymbolTable

from rammer_ir.context import new_context
from rammer_ir.dialects import rop, vdevice
from rammer_ir.interpreters.bindings import Inputs, bound_arrays
from rammer_ir.interpreters.comparison import Tolerance, describe_difference
from rammer_ir.interpreters.element_types import Array, DType, is_float, shape_and_dtype
from rammer_ir.interpreters.module import run_module
from rammer_ir.parsing import parse_module
from rammer_ir.pass_pipeline import parse_pass_pipeline, run_passes


class CheckPass(Protocol):
    """The type of `check_pass`, for tests that take it as a fixture."""

    def __call__(
        self,
        program: str | ModuleOp,
        *pipeline: str | ModulePass,
        inputs: Inputs | None = None,
        weights: Mapping[str, Array] | None = None,
        tolerance: Tolerance | None = None,
    ) -> ModuleOp: ...


def check_pass(
    program: str | ModuleOp,
    *pipeline: str | ModulePass,
    inputs: Inputs | None = None,
    weights: Mapping[str, Array] | None = None,
    tolerance: Tolerance | None = None,
) -> ModuleOp:
    """
    Check that passes keep what a module's `main` computes; gives the module that they make.

    The program, text or a module (which is not changed), may be of any level, and end on a lower one. A pass is one
    object, or a text as in `rammer-opt -p`; modules are verified before and after each. Inputs and weights that are not
    given are random; those of type index must be given. Raises AssertionError where results differ, else what the
    passes and the interpreters raise.
    """
    context = new_context()
    before = parse_module(context, program) if isinstance(program, str) else program
    after = before.clone()
    run_passes(context, after, [pass_ for part in pipeline for pass_ in _passes(part)])
    arrays = _inputs(before, inputs or {})
    known = {**_random_weights(before), **(weights or {})}
    expected = run_module(before, arrays, known)
    actual = run_module(after, _reordered(before, after, arrays), known)
    assert len(actual) == len(expected), f"{len(actual)} results instead of {len(expected)}"
    for number, (wanted, found) in enumerate(zip(expected, actual, strict=True)):
        difference = describe_difference(wanted, found, Tolerance() if tolerance is None else tolerance)
        assert difference is None, f"result {number} after the passes: {difference}"
    return after


def _passes(part: str | ModulePass) -> tuple[ModulePass, ...]:
    return (part,) if isinstance(part, ModulePass) else parse_pass_pipeline(part)


def random_array(shape: tuple[int, ...], dtype: DType, seed: int) -> Array:
    """Floats of a normal distribution, integers and booleans that are 0 or 1."""
    generator = np.random.default_rng(seed)
    values = generator.standard_normal(shape) if is_float(dtype) else generator.integers(0, 2, shape)
    return values.astype(dtype)


def _inputs(module: ModuleOp, given: Inputs) -> dict[int, Array]:
    """An array for each of the inputs, by position."""
    names, types = _signature(module)
    arrays: dict[str | int, Array] = {**cast("Mapping[str | int, Array]", given)}
    for position, (name, kind) in enumerate(zip(names, types, strict=True)):
        if position in arrays or name in arrays:
            continue
        assert not isinstance(kind, IndexType), f"the test must give input {position if name is None else name}"
        arrays[position] = random_array(*shape_and_dtype(kind), position)
    return dict(enumerate(bound_arrays(arrays, names, "@main")))


def _signature(module: ModuleOp) -> tuple[list[str | None], list[Attribute]]:
    """Names and types of the inputs of `main`, in the order of its positions."""
    main = SymbolTable(module).lookup("main")
    if isinstance(main, vdevice.ProgramOp):
        names = dict[SSAValue, str](zip(main.body.block.args, main.names, strict=True))
        values = [*main.input_arguments, *main.length_arguments]
        return [names[value] for value in values], [value.type for value in values]
    assert isinstance(main, FuncOp), "the module has no @main"
    attributes = [] if main.arg_attrs is None else [dictionary.data for dictionary in main.arg_attrs.data]
    types = list(main.function_type.inputs.data)
    found = [dictionary.get("rop.name") for dictionary in attributes] or [None] * len(types)
    return [None if name is None else cast("StringAttr", name).data for name in found], types


def _reordered(before: ModuleOp, after: ModuleOp, arrays: dict[int, Array]) -> dict[int, Array]:
    """A program takes lengths after tensors, whatever their order in the function that it was."""
    _, types = _signature(before)
    if not isinstance(SymbolTable(after).lookup("main"), vdevice.ProgramOp):
        return arrays
    order = sorted(range(len(types)), key=lambda position: isinstance(types[position], IndexType))
    return {place: arrays[position] for place, position in enumerate(order)}


def _random_weights(module: ModuleOp) -> dict[str, Array]:
    found = [op for op in module.ops if isinstance(op, rop.WeightOp) and op.recipe is None]
    return {op.sym_name.data: random_array(*shape_and_dtype(op.type), crc32(op.sym_name.data.encode())) for op in found}
