"""rOperators of all kinds, cut in all ways: what they compute, their kernels compute, and so do the kernels' bodies."""

import random
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from xdsl.dialects.builtin import ArrayAttr, ModuleOp
from xdsl.dialects.func import FuncOp
from xdsl.ir import Attribute
from xdsl.utils.hints import isa

from rammer_ir.context import new_context
from rammer_ir.dialects.rop import OperatorOp, TilingAttr, WeightOp
from rammer_ir.dialects.rtask import AlternativesOp, KernelOp
from rammer_ir.errors import RammerError
from rammer_ir.interpreters import rop, rtask
from rammer_ir.interpreters.boxes import check_boxes
from rammer_ir.interpreters.comparison import Tolerance, describe_difference
from rammer_ir.interpreters.element_types import is_float, shape_and_dtype
from rammer_ir.interpreters.kernel_check import check_kernel
from rammer_ir.parsing import parse_module
from rammer_ir.pass_pipeline import parse_pass_pipeline, run_passes
from rammer_ir.testing import operators
from rammer_ir.testing.operators import maps, tensor
from rammer_ir.tiling.contraction import match_contraction
from rammer_ir.tiling.task_dimensions import generics_of, task_dimensions

TOLERANCE = Tolerance(1e-4, 1e-4)
"""Sums of some hundred products in another order."""

Array = NDArray[np.generic]


def run(module: ModuleOp, passes: str) -> None:
    run_passes(new_context(), module, parse_pass_pipeline(passes))


def random_values(kind: Attribute, generator: np.random.Generator) -> Array:
    shape, dtype = shape_and_dtype(kind)
    values = generator.standard_normal(shape) if is_float(dtype) else generator.integers(-3, 4, shape)
    return np.asarray(values).astype(dtype)


def check_levels(text: str, device: str, seed: int | None = None, most_tasks: int = 3) -> None:
    """
    Compare the module before and after its operators become kernels, and the kernels with their bodies.

    All candidates are run, of the bodies some tasks. With a `seed` tiles get random sizes first.
    """
    before = parse_module(new_context(), text)
    before.verify()
    after = before.clone()
    run(after, f"set-device{{device={device}}},tile")
    if seed is not None:
        cut_at_random(after, random.Random(seed))
    try:
        run(after, "convert-rop-to-rtask")
    except RammerError as error:
        if seed is not None and "does not divide" in error.message:
            return
        raise
    check_results(before, after)
    for kernel in kernels(after):
        check_boxes(kernel)
    run(
        after,
        "convert-contraction-to-vectors,convert-contraction-to-block,convert-generic-to-loops,convert-generic-to-block",
    )
    for kernel in kernels(after):
        tasks = sorted({0, kernel.tasks - 1, *np.random.default_rng(0).integers(0, kernel.tasks, most_tasks).tolist()})
        check_kernel(after, kernel, weights=random_weights(before), tasks=tasks, tolerance=TOLERANCE)


def kernels(module: ModuleOp) -> Sequence[KernelOp]:
    return [op for op in module.ops if isinstance(op, KernelOp)]


def random_weights(module: ModuleOp) -> dict[str, Array]:
    generator = np.random.default_rng(1)
    return {op.sym_name.data: random_values(op.type, generator) for op in module.ops if isinstance(op, WeightOp)}


def check_results(before: ModuleOp, after: ModuleOp) -> None:
    main = next(op for op in before.ops if isinstance(op, FuncOp))
    generator = np.random.default_rng(2)
    inputs = {number: random_values(kind, generator) for number, kind in enumerate(main.function_type.inputs.data)}
    weights = random_weights(before)
    expected = rop.run_module(before, inputs, weights)
    most = max(len(op.candidates) for op in after.walk() if isinstance(op, AlternativesOp))
    for candidate in range(most):
        found = rtask.run_module(
            after, inputs, weights, choice=lambda op, number=candidate: min(number, len(op.candidates) - 1)
        )
        for wanted, result in zip(expected, found, strict=True):
            assert describe_difference(wanted, result, TOLERANCE) is None


def cut_at_random(module: ModuleOp, generator: random.Random) -> None:
    """Give the tiles of every tiling random sizes; those of N stay blocks."""
    for op in module.walk():
        if isinstance(op, OperatorOp):
            tilings = op.attributes["tilings"]
            assert isa(tilings, ArrayAttr[TilingAttr])
            op.attributes["tilings"] = ArrayAttr([random_tiling(op, tiling, generator) for tiling in tilings])


def random_tiling(operator: OperatorOp, tiling: TilingAttr, generator: random.Random) -> TilingAttr:
    contraction = match_contraction(operator) if tiling.kind == "contraction" else None
    bounds = generics_of(operator)[-1].bounds
    tile = list(tiling.tile)
    for dimension in task_dimensions(operator):
        loop = dimension.loops[-1]
        if contraction is None:
            tile[loop] = generator.randint(1, bounds[loop])
        elif dimension.loops[0] != contraction.n:
            tile[loop] = generator.randint(1, tile[loop])
    return TilingAttr(tiling.kind, tile, tiling.threads, block=tiling.block, slices=tiling.slices)


DEVICES = st.sampled_from(["h100", "host"])
SEEDS = st.one_of(st.none(), st.integers(0, 1000))
SIZES = st.tuples(st.integers(5, 11), st.integers(5, 11))

CONVOLUTIONS = st.builds(
    operators.convolution,
    batch=st.integers(1, 2),
    groups=st.integers(1, 3),
    channels=st.sampled_from([1, 3, 8, 17]),
    filters=st.sampled_from([1, 4, 9, 17, 33]),
    size=SIZES,
    kernel=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    stride=st.integers(1, 3),
    dilation=st.integers(1, 2),
    pad=st.integers(0, 2),
    residual=st.booleans(),
)
IMAGES = st.builds(
    operators.convolution,
    groups=st.integers(1, 2),
    channels=st.sampled_from([16, 20, 36]),
    filters=st.sampled_from([8, 9, 36]),
    size=SIZES,
    kernel=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    stride=st.integers(1, 2),
    pad=st.integers(0, 1),
    residual=st.booleans(),
    channels_last=st.just(True),
)
PRODUCTS = st.builds(
    operators.matrix_product,
    m=st.sampled_from([1, 7, 8, 20]),
    n=st.sampled_from([1, 8, 17, 40]),
    k=st.sampled_from([1, 8, 33]),
    batch=st.integers(1, 2),
    is_transposed=st.booleans(),
    weight_first=st.booleans(),
)
POOLINGS = st.builds(
    operators.pooling,
    channels=st.sampled_from([1, 3, 9]),
    size=SIZES,
    window=st.tuples(st.integers(1, 5), st.integers(1, 5)),
    stride=st.integers(1, 3),
    pad=st.integers(0, 1),
    is_average=st.booleans(),
)
EXTENTS = st.lists(st.tuples(st.sampled_from([1, 2, 3, 5, 33]), st.booleans()), min_size=1, max_size=4)
SUMS = EXTENTS.map(lambda dims: operators.broadcast_sum([extent for extent, _ in dims], [flag for _, flag in dims]))


@settings(max_examples=12)
@given(CONVOLUTIONS, DEVICES, SEEDS)
def test_convolutions(text: str, device: str, seed: int | None) -> None:
    check_levels(text, device, seed, most_tasks=1)


@settings(max_examples=3)
@given(IMAGES, SEEDS)
def test_convolutions_of_images_with_channels_last(text: str, seed: int | None) -> None:
    check_levels(text, "h100", seed, most_tasks=1)


@settings(max_examples=12)
@given(PRODUCTS, DEVICES, SEEDS)
def test_matrix_products(text: str, device: str, seed: int | None) -> None:
    check_levels(text, device, seed, most_tasks=1)


@settings(max_examples=25)
@given(st.builds(operators.softmax, st.integers(1, 20), st.sampled_from([1, 7, 31, 32, 100])), DEVICES, SEEDS)
def test_softmax(text: str, device: str, seed: int | None) -> None:
    check_levels(text, device, seed)


@settings(max_examples=40)
@given(POOLINGS, DEVICES, SEEDS)
def test_poolings(text: str, device: str, seed: int | None) -> None:
    check_levels(text, device, seed)


@settings(max_examples=40)
@given(SUMS, DEVICES, SEEDS)
def test_element_wise_with_broadcast_and_transposition(text: str, device: str, seed: int | None) -> None:
    check_levels(text, device, seed)


@settings(max_examples=25)
@given(
    st.builds(operators.concatenation, st.integers(1, 9), st.lists(st.integers(1, 12), min_size=1, max_size=4)),
    DEVICES,
    SEEDS,
)
def test_concatenations(text: str, device: str, seed: int | None) -> None:
    check_levels(text, device, seed)


# Operators of a particular shape.


def operator(arguments: str, types: Sequence[str], results: Sequence[str], body: str) -> str:
    """A module of one operator; its inputs %0, %1, ... are called as `arguments` says; `body` ends with the yield."""
    names = arguments.split()
    outside = [f"%in{number}" for number in range(len(names))]
    kept = ", ".join(f"%r{number}" for number in range(len(results)))
    inside = ", ".join(f"{name}: {kind}" for name, kind in zip(names, types, strict=True))
    parameters: list[str] = []
    weights: list[str] = []
    lines: list[str] = []
    for value, name, kind in zip(outside, names, types, strict=True):
        if name.startswith("%w"):
            lines.append(f"{value} = rop.get_weight @{name[1:]} : {kind}")
            weights.append(f'rop.weight @{name[1:]} : {kind} hash "h"')
        else:
            parameters.append(f"{value}: {kind}")
    return f"""
    {" ".join(weights)}
    func.func @main({", ".join(parameters)}) -> ({", ".join(results)}) {{
      {" ".join(lines)}
      {kept} = rop.operator ins({", ".join(outside)} : {", ".join(types)}) {{
      ^bb0({inside}):
        {body}
      }} -> {", ".join(results)}
      func.return {kept} : {", ".join(results)}
    }}
    """


X, ROW = tensor(6, 40), tensor(6)
POSITIVE = "^bb1(%p: f32): %z = arith.constant 0.0 : f32 %o = arith.maximumf %p, %z : f32 rop.yield %o : f32"
SAME = "^bb1(%p: f32): rop.yield %p : f32"
BOTH = "^bb1(%p: f32): rop.yield %p, %p : f32, f32"
MULTIPLY = "^bb1(%p: f32, %q: f32): %o = arith.mulf %p, %q : f32 rop.yield %o : f32"
LEFT, RIGHT, PRODUCT = tensor(16, 32), tensor(32, 24), tensor(16, 24)
MATRIX_PRODUCT = f"""
%s = rop.generic bounds [16, 24, 32] maps {maps("i, j, k", "i, k", "k, j", "i, j")} reduce [add]
    ins(%x, %w : {LEFT}, {RIGHT}) {{ {MULTIPLY} }} -> {PRODUCT}
"""
NUMBERED = """
^bb1(%p: f32):
  %i = rop.index {} %c = arith.index_cast %i : index to i32 %f = arith.sitofp %c : i32 to f32
  %o = arith.addf %p, %f : f32 rop.yield %o : f32
"""

OPERATORS = {
    "a reduction of what is computed in place": operator(
        "%x",
        [X],
        [ROW],
        f"""
        %y = rop.generic bounds [6, 40] maps {maps("i, j", "i, j", "i, j")} ins(%x : {X}) {{ {POSITIVE} }} -> {X}
        %s = rop.generic bounds [6, 40] maps {maps("i, j", "i, j", "i")} reduce [add]
            ins(%y : {X}) {{ {SAME} }} -> {ROW}
        %d = rop.generic bounds [6] maps {maps("i", "i", "i")} ins(%s : {ROW}) {{ {POSITIVE} }} -> {ROW}
        rop.yield %d : {ROW}
        """,
    ),
    "a window of a local tensor with a border": operator(
        "%x",
        [X],
        [X],
        f"""
        %y = rop.generic bounds [6, 40] maps {maps("i, j", "i, j", "i, j")} ins(%x : {X}) {{ {POSITIVE} }} -> {X}
        %s = rop.generic bounds [6, 40, 3] maps {maps("i, j, k", "i, j + k - 1", "i, j")} reduce [maximum]
            pad [5.0 : f32] ins(%y : {X}) {{ {SAME} }} -> {X}
        rop.yield %s : {X}
        """,
    ),
    "results with and without reduction": operator(
        "%x",
        [X],
        [X, ROW],
        f"""
        %y, %s = rop.generic bounds [6, 40] maps {maps("i, j", "i, j", "i, j", "i")} reduce [none, add]
            ins(%x : {X}) {{ {BOTH} }} -> {X}, {ROW}
        rop.yield %y, %s : {X}, {ROW}
        """,
    ),
    "reductions over different loops": operator(
        "%x",
        [X],
        [tensor(40), ROW],
        f"""
        %y, %s = rop.generic bounds [6, 40] maps {maps("i, j", "i, j", "j", "i")} reduce [maximum, add]
            ins(%x : {X}) {{ {BOTH} }} -> {tensor(40)}, {ROW}
        rop.yield %y, %s : {tensor(40)}, {ROW}
        """,
    ),
    "two results in the middle of an epilogue": operator(
        "%x %w",
        [LEFT, RIGHT],
        [PRODUCT],
        f"""
        {MATRIX_PRODUCT}
        %t, %u = rop.generic bounds [16, 24] maps {maps("i, j", "i, j", "i, j", "i, j")} reduce [none, none]
            ins(%s : {PRODUCT}) {{ {BOTH} }} -> {PRODUCT}, {PRODUCT}
        %v = rop.generic bounds [16, 24] maps {maps("i, j", "i, j", "i, j", "i, j")}
            ins(%t, %u : {PRODUCT}, {PRODUCT}) {{ {MULTIPLY} }} -> {PRODUCT}
        rop.yield %v : {PRODUCT}
        """,
    ),
    "indices in an epilogue, its result transposed": operator(
        "%x %w",
        [LEFT, RIGHT],
        [tensor(24, 16)],
        f"""
        {MATRIX_PRODUCT}
        %t = rop.generic bounds [16, 24] maps {maps("i, j", "i, j", "i, j")} ins(%s : {PRODUCT}) {{
          {NUMBERED.format(1)} }} -> {PRODUCT}
        %u = rop.generic bounds [24, 16] maps {maps("j, i", "i, j", "j, i")} ins(%t : {PRODUCT}) {{
          {NUMBERED.format(0)} }} -> {tensor(24, 16)}
        rop.yield %u : {tensor(24, 16)}
        """,
    ),
    "a weight that an epilogue reads too": operator(
        "%x %w",
        [LEFT, RIGHT],
        [PRODUCT],
        f"""
        {MATRIX_PRODUCT}
        %t = rop.generic bounds [16, 24] maps {maps("i, j", "i, j", "i, j", "i, j")}
            ins(%s, %w : {PRODUCT}, {RIGHT}) {{ {MULTIPLY} }} -> {PRODUCT}
        rop.yield %t : {PRODUCT}
        """,
    ),
    "a border that is not zero": operator(
        "%x %w",
        [tensor(3, 50), tensor(9, 3, 5)],
        [tensor(9, 50)],
        f"""
        %s = rop.generic bounds [9, 50, 3, 5] maps {maps("o, h, i, y", "i, h + y - 2", "o, i, y", "o, h")} reduce [add]
            pad [3.0 : f32, unit] ins(%x, %w : {tensor(3, 50)}, {tensor(9, 3, 5)}) {{ {MULTIPLY} }} -> {tensor(9, 50)}
        rop.yield %s : {tensor(9, 50)}
        """,
    ),
    "gates of a flat weight": operator(
        "%x %w",
        [tensor(20, 32), tensor(64, 32)],
        [tensor(20, 4, 16)],
        f"""
        %s = rop.generic bounds [20, 4, 16, 32] maps {maps("b, g, u, k", "b, k", "g * 16 + u, k", "b, g, u")}
            reduce [add] ins(%x, %w : {tensor(20, 32)}, {tensor(64, 32)}) {{ {MULTIPLY} }} -> {tensor(20, 4, 16)}
        rop.yield %s : {tensor(20, 4, 16)}
        """,
    ),
    "backwards in steps": operator(
        "%x",
        [X],
        [tensor(6, 13)],
        f"""
        %s = rop.generic bounds [6, 13] maps {maps("i, j", "i, j * -3 + 37", "i, j")} ins(%x : {X}) {{
          {POSITIVE} }} -> {tensor(6, 13)}
        rop.yield %s : {tensor(6, 13)}
        """,
    ),
    "a reshape": operator(
        "%x",
        [tensor(6, 35)],
        [tensor(10, 21)],
        f"""
        %s = rop.generic bounds [10, 21]
            maps {maps("i, j", "(i * 21 + j) floordiv 35, (i * 21 + j) mod 35", "i, j")}
            ins(%x : {tensor(6, 35)}) {{ {POSITIVE} }} -> {tensor(10, 21)}
        rop.yield %s : {tensor(10, 21)}
        """,
    ),
    "a sum of everything": operator(
        "%x",
        [X],
        [tensor()],
        f"""
        %s = rop.generic bounds [6, 40] maps {maps("i, j", "i, j", "")} reduce [add]
            ins(%x : {X}) {{ {SAME} }} -> {tensor()}
        rop.yield %s : {tensor()}
        """,
    ),
}
"""What random operators do not reach."""


@pytest.mark.parametrize("device", ["h100", "host"])
@pytest.mark.parametrize("name", OPERATORS)
def test_operators(name: str, device: str) -> None:
    for seed in (None, 0):
        check_levels(OPERATORS[name], device, seed, most_tasks=1)


@pytest.mark.parametrize("combiner", ["add", "multiply", "maximum", "minimum"])
@pytest.mark.parametrize("element", ["i32", "i64", "f64"])
@pytest.mark.parametrize("length", [5, 40])
def test_reductions(combiner: str, element: str, length: int) -> None:
    source, result = tensor(6, length, element=element), tensor(6, element=element)
    text = operator(
        "%x",
        [source],
        [result],
        f"""
        %s = rop.generic bounds [6, {length}] maps {maps("i, j", "i, j", "i")} reduce [{combiner}] ins(%x : {source}) {{
        ^bb1(%p: {element}):
          rop.yield %p : {element}
        }} -> {result}
        rop.yield %s : {result}
        """,
    )
    check_levels(text, "h100")


def test_steps_of_a_loop() -> None:
    """Step t sums row t of one tensor into part of row t of another; a kernel takes t."""
    rows, sums = tensor(5, 6, 40), tensor(5, 9)
    text = f"""
    func.func @main(%x: {rows}, %y: {sums}) -> {sums} {{
      %steps = arith.constant 5 : index
      %last = rop.scan %steps carried(%y : {sums}) captured(%x : {rows}) {{
      ^bb0(%t: index, %so_far: {sums}, %all: {rows}):
        %next = rop.operator ins(%t, %all, %so_far : index, {rows}, {sums}) {{
        ^bb1(%step: index, %source: {rows}, %target: {sums}):
          %sum = rop.generic bounds [6, 40] maps {maps("i, j", "s, i, j", "s, i + 2", symbols="[s]")} reduce [add]
              ins(%source : {rows}) into(%target : {sums}) at(%step) {{ {SAME} }} -> {sums}
          rop.yield %sum : {sums}
        }} -> {sums}
        rop.yield %next : {sums}
      }} -> {sums}
      func.return %last : {sums}
    }}
    """
    module = parse_module(new_context(), text)
    before = module.clone()
    run(module, "set-device{device=h100 veus=3},tile,convert-rop-to-rtask")
    check_results(before, module)
    run(module, "convert-generic-to-block")
    (kernel,) = kernels(module)
    for loop in range(5):
        check_boxes(kernel, loop)
        check_kernel(module, kernel, loop=loop, tolerance=TOLERANCE)
