"""Products of a few vectors and a constant matrix: how they are recognised, packed, cut and computed."""

from math import prod

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from xdsl.dialects.builtin import ModuleOp

from rammer_ir.context import new_context
from rammer_ir.dialects.rop import OperatorOp, WeightOp
from rammer_ir.dialects.rtask import AlternativesOp, KernelOp
from rammer_ir.interpreters import rop, rtask
from rammer_ir.interpreters.comparison import Tolerance, describe_difference
from rammer_ir.interpreters.kernel_check import check_kernel
from rammer_ir.lowering.bodies.matrix_vector_shape import MOST_STAGED, MatrixVectorShape
from rammer_ir.parsing import parse_module
from rammer_ir.pass_pipeline import parse_pass_pipeline, run_passes
from rammer_ir.testing import operators
from rammer_ir.testing.operators import PRODUCT, maps, tensor
from rammer_ir.tiling.matrix_vector import MatrixVector, match_matrix_vector
from rammer_ir.tiling.matrix_vector_tiles import matrix_vector_tiles

TOLERANCE = Tolerance(1e-4, 1e-4)


def match(text: str) -> MatrixVector | None:
    module = parse_module(new_context(), text)
    return match_matrix_vector(next(op for op in module.walk() if isinstance(op, OperatorOp)))


def product_of(x: str, w: str, result: str, bounds: list[int], index_maps: str, *, is_weight: bool = True) -> str:
    """A sum of products of an argument and a weight (or of two arguments)."""
    arguments = f"%a: {x}" if is_weight else f"%a: {x}, %b: {w}"
    return f"""
    {f'rop.weight @w : {w} hash "w"' if is_weight else ""}
    func.func @main({arguments}) -> {result} {{
      {f"%b = rop.get_weight @w : {w}" if is_weight else ""}
      %result = rop.operator ins(%a, %b : {x}, {w}) {{
      ^bb0(%x: {x}, %m: {w}):
        %sum = rop.generic bounds {bounds} maps {index_maps} reduce [add]
            ins(%x, %m : {x}, {w}) {{ {PRODUCT} }} -> {result}
        rop.yield %sum : {result}
      }} -> {result}
      func.return %result : {result}
    }}
    """


def test_roles() -> None:
    assert match(operators.matrix_product(m=3, n=200, k=128)) == MatrixVector(0, 1, (1,), 2, (), (3,))
    assert match(operators.matrix_product(m=1, n=200, k=128, weight_first=True)) == MatrixVector(1, 0, (), 2, (), (3,))


def test_reduced_loops_are_in_the_order_of_x() -> None:
    """A flattened image with its channels last: height, width, channel is how it lies in memory."""
    x, w = tensor(1, 5, 6, 32), tensor(40, 32 * 5 * 6)
    reads = maps("n, c, h, w", "0, h, w, c", "n, c * 30 + h * 6 + w", "n")
    roles = match(product_of(x, w, tensor(40), [40, 32, 5, 6], reads))
    assert roles is not None
    assert roles.k == (2, 3, 1)


NO_PRODUCTS = {
    "too many vectors": operators.matrix_product(m=9, n=200, k=128),
    "a small matrix": operators.matrix_product(m=1, n=100, k=128),
    "short sums": operators.matrix_product(m=1, n=2000, k=32),
    "a matrix that is no weight": product_of(
        tensor(128), tensor(200, 128), tensor(200), [200, 128], maps("n, k", "k", "n, k", "n"), is_weight=False
    ),
    "a softmax": operators.softmax(2, 100),
}


@pytest.mark.parametrize("name", NO_PRODUCTS)
def test_others_are_none(name: str) -> None:
    assert match(NO_PRODUCTS[name]) is None


@given(st.integers(1, 8), st.integers(1, 5000), st.integers(64, 30000))
def test_tiles_fit_the_threads(m: int, n: int, k: int) -> None:
    tiles = list(matrix_vector_tiles("cuda", m, n, k))
    assert tiles
    for tile in tiles:
        shape = MatrixVectorShape(m, tile.columns, tile.rows, tile.slices, -(-k // tile.rows))
        assert shape.fits(256)
        assert shape.vectors * shape.panel_rows <= shape.staged_elements <= MOST_STAGED
        assert (shape.panels - 1) * shape.panel_chunks < shape.chunks <= shape.panels * shape.panel_chunks


def random_arrays(module: ModuleOp, seed: int) -> dict[str, np.ndarray]:
    generator = np.random.default_rng(seed)
    weights = [op for op in module.ops if isinstance(op, WeightOp) and op.recipe is None]
    return {op.sym_name.data: generator.standard_normal(op.type.get_shape(), np.float32) for op in weights}


def check(text: str, inputs: list[np.ndarray]) -> None:
    """All candidates compute what the operator computes, and their bodies what the candidates compute."""
    before = parse_module(new_context(), text)
    after = before.clone()
    run_passes(new_context(), after, parse_pass_pipeline("set-device{device=h100},tile,convert-rop-to-rtask"))
    weights, values = random_arrays(before, 1), dict(enumerate(inputs))
    (expected,) = rop.run_module(before, values, weights)
    (alternatives,) = [op for op in after.walk() if isinstance(op, AlternativesOp)]
    for candidate in range(len(alternatives.candidates)):
        (found,) = rtask.run_module(after, values, weights, choice=lambda _, candidate=candidate: candidate)
        assert describe_difference(expected, found, TOLERANCE) is None
    run_passes(new_context(), after, parse_pass_pipeline("convert-matrix-vector-to-block"))
    for kernel in [op for op in after.ops if isinstance(op, KernelOp)]:
        assert "matrix_vector" in kernel.attributes
        check_kernel(after, kernel, weights=weights, tasks=[kernel.tasks - 1], tolerance=TOLERANCE)


@settings(max_examples=4)
@given(
    st.sampled_from([(1, 1), (1, 2), (3, 2), (7, 1), (8, 1)]),
    st.integers(17, 40),
    st.integers(1000, 1100),
    st.booleans(),
    st.booleans(),
)
def test_bodies(rows: tuple[int, int], n: int, k: int, is_transposed: bool, weight_first: bool) -> None:
    m, batch = rows
    text = operators.matrix_product(m=m, n=n, k=k, batch=batch, is_transposed=is_transposed, weight_first=weight_first)
    check(text, [np.random.default_rng(2).standard_normal((batch, m, k), np.float32)])


def test_x_in_panels() -> None:
    """Three vectors of 7000: more than is staged at once."""
    x = np.random.default_rng(2).standard_normal((1, 3, 7000), np.float32)
    check(operators.matrix_product(m=3, n=5, k=7000), [x])


def test_a_window_that_leaves_x() -> None:
    """Every result sums a window of X with a border of zeros: elements are placed one by one."""
    x, w, result = tensor(40, 30), tensor(24, 40, 33), tensor(24)
    reads = maps("n, c, t", "c, t - 2", "n, c, t", "n")
    text = product_of(x, w, result, [24, 40, 33], f"{reads}").replace(
        "reduce [add]", "reduce [add] pad [0.0 : f32, unit]"
    )
    check(text, [np.random.default_rng(2).standard_normal((40, 30), np.float32)])


def test_padding_of_k_is_zero_whatever_the_order() -> None:
    """Beyond K the packed matrix holds zeros, also where the map to its source would be in range."""
    x, w = tensor(1, 7, 5, 33), tensor(20, 33 * 7 * 5)
    reads = maps("n, c, h, w", "0, h, w, c", "n, c * 35 + h * 5 + w", "n")
    text = product_of(x, w, tensor(20), [20, 33, 7, 5], reads)
    after = parse_module(new_context(), text)
    weights = random_arrays(after, 1)
    run_passes(new_context(), after, parse_pass_pipeline("set-device{device=h100},tile,convert-rop-to-rtask"))
    recipes = [op for op in after.ops if isinstance(op, WeightOp) and op.recipe is not None]
    assert recipes
    expected = weights["w"].reshape(20, 33, 7, 5).transpose(0, 2, 3, 1).reshape(20, -1)
    for recipe in recipes:
        packed = rop.evaluate_recipe(recipe, after, weights)
        columns = packed.shape[-2]
        rows = packed.transpose(0, 2, 1, 3).reshape(packed.shape[0] * columns, -1)[:20]
        assert np.array_equal(rows[:, : prod((33, 7, 5))], expected)
        assert not rows[:, prod((33, 7, 5)) :].any()
    check(text, [np.random.default_rng(2).standard_normal((1, 7, 5, 33), np.float32)])
