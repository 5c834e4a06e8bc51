"""Products by tensor cores: the order of their factors, their rounding, whole kernels and what is compiled of them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir.affine import AffineExpr

from rammer_ir.comparison import RELATIVE_TOLERANCES
from rammer_ir.context import new_context
from rammer_ir.dialects.block import BodyOp, MmaOp
from rammer_ir.dialects.rop import TilingAttr
from rammer_ir.dialects.rop_attributes import Arithmetic
from rammer_ir.interpreters.block import run_body
from rammer_ir.interpreters.block_mma import round_tf32
from rammer_ir.interpreters.comparison import Tolerance
from rammer_ir.interpreters.kernel_check import check_kernel, random_tensors
from rammer_ir.lowering.bodies.contraction_shape import WarpShape
from rammer_ir.parsing import parse_module
from rammer_ir.pass_pipeline import parse_pass_pipeline, run_passes
from rammer_ir.pipelines import PRECISIONS
from rammer_ir.scheduling.program_form import kernels_of
from rammer_ir.testing import operators
from rammer_ir.tiling.mma_fragments import fragment_shape, place_in_fragments, row_and_column
from rammer_ir.tiling.tile_sizes import MMA_BLOCKS, THREADS, mma_tiles

TOLERANCES = {"tf32": Tolerance(2e-3, 3e-2), "3xtf32": Tolerance(1e-5, 1e-5)}
"""A tf32 factor is off by 2**-11 of it at most, and sums of 288 products of random numbers have magnitudes about 17."""

PIPELINE = (
    'set-device{{device=h100}},set-precision{{precision="{}"}},fuse-operators,tile,convert-rop-to-rtask,'
    "convert-contraction-to-block"
)

OPERATORS = {
    "M, N and K that fill no block": operators.matrix_product(m=70, n=40, k=52),
    "a transposed weight": operators.matrix_product(m=33, n=64, k=64, is_transposed=True),
    "a convolution": operators.convolution(
        channels=32, filters=64, size=(9, 9), pad=1, channels_last=True, residual=True
    ),
}


def lowered(text: str, precision: str) -> ModuleOp:
    module = parse_module(new_context(), text)
    run_passes(new_context(), module, parse_pass_pipeline(PIPELINE.format(precision)))
    return module


def tiling_of(module: ModuleOp, name: str) -> TilingAttr:
    tiling = kernels_of(module)[name].attributes["tiling"]
    assert isinstance(tiling, TilingAttr)
    return tiling


@pytest.mark.parametrize("precision", TOLERANCES)
@pytest.mark.parametrize("name", OPERATORS)
def test_kernels_compute_what_they_say(name: str, precision: str) -> None:
    module = lowered(OPERATORS[name], precision)
    kernels = [name for name in kernels_of(module) if tiling_of(module, name).arithmetic.value == precision]
    assert len(kernels) >= 3
    for kernel in (kernels_of(module)[name] for name in kernels):
        check_kernel(module, kernel, tasks=sorted({0, kernel.tasks - 1}), tolerance=TOLERANCES[precision])


def test_less_exact_products_differ() -> None:
    """The body of tf32 is no other body under another name: its results are not those of fp32."""
    module = lowered(OPERATORS["a transposed weight"], "tf32")
    kernel = next(iter(kernels_of(module).values()))
    with pytest.raises(Exception, match="differs from its region"):
        check_kernel(module, kernel, random_tensors(kernel), tasks=[0], tolerance=Tolerance(1e-6, 1e-6))


def test_contractions_that_are_not_read_by_rows_stay_exact() -> None:
    module = lowered(operators.convolution(channels=32, filters=64, size=(9, 9), pad=1), "tf32")
    assert {tiling_of(module, name).arithmetic for name in kernels_of(module)} == {Arithmetic.FP32}


MMA = """
block.body @mma threads 64 {{
^bb0(%task: index, %t: index, %x: memref<?xf32, "global">, %w: memref<?xf32, "global">, %s: memref<?xf32, "global">):
  %threads = arith.constant 64 : index
  %c2 = arith.constant 2 : index
  %c4 = arith.constant 4 : index
  block.parallel thread (%i) in %threads {{
    {loads}
    %r0, %r1, %r2, %r3 = block.mma tf32 [%x0, %x1, %x2, %x3] [%w0, %w1] [%s0, %s1, %s2, %s3]
    {stores}
  }}
  block.yield
}}
"""


def mma_body() -> BodyOp:
    lines: list[str] = []
    for name, count in (("x", 4), ("w", 2), ("s", 4)):
        lines.append(f"%{name}_first = arith.muli %i, %c{count} : index")
        for number in range(count):
            lines.append(f"%{name}_c{number} = arith.constant {number} : index")
            lines.append(f"%{name}_p{number} = arith.addi %{name}_first, %{name}_c{number} : index")
            lines.append(f'%{name}{number} = memref.load %{name}[%{name}_p{number}] : memref<?xf32, "global">')
    stores = [f'memref.store %r{number}, %s[%s_p{number}] : memref<?xf32, "global">' for number in range(4)]
    text = MMA.format(loads="\n".join(lines), stores="\n".join(stores))
    module = parse_module(new_context(), text)
    module.verify()
    return next(op for op in module.walk() if isinstance(op, BodyOp))


def test_lanes_hold_what_the_instruction_set_says() -> None:
    """Against the layout of m16n8k8 in the manual of PTX, element by element, for two warps."""
    generator = np.random.default_rng(0)
    x, w, s = (
        round_tf32(generator.standard_normal(shape, np.float32)) for shape in ((2, 16, 8), (2, 8, 8), (2, 16, 8))
    )
    held: dict[str, list[np.float32]] = {"x": [], "w": [], "s": []}
    expected: list[float] = []
    result = s + np.einsum("wmk,wkn->wmn", x, w, dtype=np.float64)
    for warp in range(2):
        for lane in range(32):
            group, member = divmod(lane, 4)
            rows = [group + 8 * (number % 2) for number in range(4)]
            held["x"] += [x[warp, row, member + 4 * (number // 2)] for number, row in enumerate(rows)]
            held["w"] += [w[warp, member + 4 * number, group] for number in range(2)]
            places = [(group + 8 * (number // 2), 2 * member + number % 2) for number in range(4)]
            held["s"] += [s[warp][place] for place in places]
            expected += [result[warp][place] for place in places]
    operands = [np.array(held[name], np.float32) for name in ("x", "w", "s")]
    body = mma_body()
    assert sum(isinstance(op, MmaOp) for op in body.walk()) == 1
    run_body(body, operands, [], 0)
    np.testing.assert_allclose(operands[2], expected, rtol=1e-6, atol=1e-6)


FLOATS = st.floats(width=32, allow_subnormal=False)


@given(arrays(np.float32, 8, elements=FLOATS))
def test_rounding_keeps_ten_bits(values: np.ndarray) -> None:
    with np.errstate(over="ignore", invalid="ignore"):
        rounded = round_tf32(values)
    assert not np.any(rounded.view(np.uint32)[~np.isnan(values)] & 0x1FFF)
    finite = np.isfinite(rounded)
    assert np.all(np.abs(rounded[finite] - values[finite].astype(np.float64)) <= np.abs(values[finite]) * 2.0**-11)
    assert np.array_equal(np.isnan(rounded), np.isnan(values))
    assert np.array_equal(np.isinf(values), np.isinf(values) & np.isinf(rounded))


@given(st.sampled_from([16, 32, 64]), st.sampled_from([8, 16, 64]))
def test_every_element_of_a_chunk_has_a_place(block_k: int, block_n: int) -> None:
    row, column = AffineExpr.dimension(0), AffineExpr.dimension(1)
    place = place_in_fragments(row, column)
    shape = fragment_shape(block_k, block_n)
    back = row_and_column([AffineExpr.dimension(dim) for dim in range(len(shape))])
    seen: set[tuple[int, ...]] = set()
    for index in np.ndindex(block_k, block_n):
        there = tuple(expression.eval(list(index), []) for expression in place)
        assert all(0 <= position < extent for position, extent in zip(there, shape, strict=True))
        assert tuple(expression.eval(list(there), []) for expression in back) == index
        seen.add(there)
    assert len(seen) == block_k * block_n


@pytest.mark.parametrize(("block", "slices"), MMA_BLOCKS)
def test_warps_share_all_blocks(block: tuple[int, int, int], slices: int) -> None:
    shape = WarpShape(*block, slices, THREADS["cuda"], 3)
    assert shape.fits
    along_m, along_n = shape.warps
    assert along_m * along_n * slices == THREADS["cuda"] // 32
    assert (along_m * shape.tiles_m * 16, along_n * shape.tiles_n * 8) == block[:2]
    # Sums and factors of a step are in registers.
    assert 4 * shape.tiles_m * shape.tiles_n + 8 * shape.tiles_m + 4 * shape.tiles_n <= 128


@given(st.integers(1, 200), st.integers(1, 200), st.integers(1, 600))
def test_tiles_fit_their_blocks(rows: int, columns: int, n: int) -> None:
    tiles = mma_tiles([rows, columns], n)
    assert tiles
    for tile in tiles:
        assert np.prod(tile.tile_m) <= tile.block[0]
        assert tile.tile_n == min(n, tile.block[1])


def test_precisions_have_the_same_names_everywhere() -> None:
    assert list(PRECISIONS) == [arithmetic.value for arithmetic in Arithmetic]
    assert set(RELATIVE_TOLERANCES) == set(PRECISIONS)
