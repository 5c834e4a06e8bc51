"""The reference semantics of the `rop` level."""

import itertools
import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from xdsl.dialects import arith, test
from xdsl.dialects.builtin import AffineMapAttr, Float32Type, FloatAttr, ModuleOp, TensorType, f32
from xdsl.ir import Block, Region, SSAValue
from xdsl.ir.affine import AffineExpr, AffineMap

from rammer_ir.context import new_context
from rammer_ir.dialects import rop
from rammer_ir.errors import InvalidInputError, RammerError
from rammer_ir.interpreters import generic
from rammer_ir.interpreters.element_types import shape_of
from rammer_ir.interpreters.generic import evaluate_generic
from rammer_ir.interpreters.rop import evaluate_recipe, run_module
from rammer_ir.parsing import parse_module

Array = npt.NDArray[Any]


def module_of(text: str) -> ModuleOp:
    module = parse_module(new_context(), text)
    module.verify()
    return module


def run(text: str, *inputs: Array, weights: Mapping[str, Array] | None = None) -> list[Array]:
    return run_module(module_of(text), dict(enumerate(inputs)), weights or {})


def random(*shape: int, seed: int = 0) -> Array:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


CONVOLUTION = """
func.func @main(%x: tensor<1x3x9x8xf32>, %w: tensor<5x3x3x3xf32>) -> tensor<1x5x5x4xf32> {
  %c = rop.generic bounds [5, 5, 4, 3, 3, 3]
      maps [affine_map<(o, h, w, i, y, x) -> (0, i, h * 2 + y - 1, w * 2 + x - 1)>,
            affine_map<(o, h, w, i, y, x) -> (o, i, y, x)>,
            affine_map<(o, h, w, i, y, x) -> (0, o, h, w)>]
      reduce [add] pad [0.0 : f32, unit] ins(%x, %w : tensor<1x3x9x8xf32>, tensor<5x3x3x3xf32>) {
  ^bb0(%p: f32, %q: f32):
    %m = arith.mulf %p, %q : f32
    rop.yield %m : f32
  } -> tensor<1x5x5x4xf32>
  func.return %c : tensor<1x5x5x4xf32>
}
"""


def convolution(image: Array, weights: Array) -> Array:
    """Stride 2, padding 1, by explicit windows in float64."""
    padded = np.pad(image[0].astype(np.float64), ((0, 0), (1, 1), (1, 1)))
    height, width = (image.shape[2] + 1) // 2, image.shape[3] // 2
    result = np.empty((1, len(weights), height, width))
    for h, w in itertools.product(range(height), range(width)):
        window = padded[:, 2 * h : 2 * h + 3, 2 * w : 2 * w + 3]
        result[0, :, h, w] = (weights.astype(np.float64) * window).sum(axis=(1, 2, 3))
    return result


def test_convolution_reads_padding() -> None:
    image, weights = random(1, 3, 9, 8), random(5, 3, 3, 3, seed=1)
    (result,) = run(CONVOLUTION, image, weights)
    assert result.dtype == np.float32
    np.testing.assert_array_equal(result, convolution(image, weights).astype(np.float32))


def test_large_generics_are_cut_into_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generic, "POINTS_AT_ONCE", 7)
    image, weights = random(1, 3, 9, 8), random(5, 3, 3, 3, seed=1)
    (result,) = run(CONVOLUTION, image, weights)
    np.testing.assert_allclose(result, convolution(image, weights), rtol=1e-6, atol=1e-6)


def test_softmax_group() -> None:
    text = """
    func.func @main(%x: tensor<4x7xf32>) -> tensor<4x7xf32> {
      %r = rop.operator ins(%x : tensor<4x7xf32>) {
      ^bb0(%a: tensor<4x7xf32>):
        %m = rop.generic bounds [4, 7] maps [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i)>]
            reduce [maximum] ins(%a : tensor<4x7xf32>) {
        ^bb1(%e: f32):
          rop.yield %e : f32
        } -> tensor<4xf32>
        %e = rop.generic bounds [4, 7]
            maps [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i)>, affine_map<(i, j) -> (i, j)>]
            ins(%a, %m : tensor<4x7xf32>, tensor<4xf32>) {
        ^bb1(%p: f32, %q: f32):
          %d = arith.subf %p, %q : f32
          %o = math.exp %d : f32
          rop.yield %o : f32
        } -> tensor<4x7xf32>
        %s = rop.generic bounds [4, 7] maps [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i)>]
            reduce [add] ins(%e : tensor<4x7xf32>) {
        ^bb1(%p: f32):
          rop.yield %p : f32
        } -> tensor<4xf32>
        %o = rop.generic bounds [4, 7]
            maps [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i)>, affine_map<(i, j) -> (i, j)>]
            ins(%e, %s : tensor<4x7xf32>, tensor<4xf32>) {
        ^bb1(%p: f32, %q: f32):
          %d = arith.divf %p, %q : f32
          rop.yield %d : f32
        } -> tensor<4x7xf32>
        rop.yield %o : tensor<4x7xf32>
      } -> tensor<4x7xf32>
      func.return %r : tensor<4x7xf32>
    }
    """
    x = random(4, 7)
    exponentials = np.exp(x.astype(np.float64) - x.max(axis=1, keepdims=True))
    np.testing.assert_allclose(run(text, x)[0], exponentials / exponentials.sum(axis=1, keepdims=True), rtol=1e-6)


def test_two_results_reduced_over_different_dimensions() -> None:
    text = """
    func.func @main(%x: tensor<3x4xf32>) -> (tensor<3xf32>, tensor<4xi64>) {
      %a, %b = rop.generic bounds [3, 4]
          maps [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i)>, affine_map<(i, j) -> (j)>]
          reduce [minimum, multiply] ins(%x : tensor<3x4xf32>) {
      ^bb0(%p: f32):
        %i = rop.index 0
        %j = rop.index 1
        %s = arith.addi %i, %j : index
        %c = arith.index_cast %s : index to i64
        rop.yield %p, %c : f32, i64
      } -> tensor<3xf32>, tensor<4xi64>
      func.return %a, %b : tensor<3xf32>, tensor<4xi64>
    }
    """
    x = random(3, 4)
    smallest, products = run(text, x)
    np.testing.assert_array_equal(smallest, x.min(axis=1))
    np.testing.assert_array_equal(products, [0, 6, 24, 60])


TILE = """
func.func @main(%x: tensor<10xf32>, %y: tensor<10xf32>) -> tensor<10xf32> {
  %i = arith.constant 2 : index
  %r = rop.generic bounds [4] maps [affine_map<(d)[s] -> (s * 4 + d)>, affine_map<(d)[s] -> (s * 4 + d)>]
      ins(%x : tensor<10xf32>) into(%y : tensor<10xf32>) at(%i) {
  ^bb0(%p: f32):
    %n = arith.negf %p : f32
    rop.yield %n : f32
  } -> tensor<10xf32>
  func.return %r : tensor<10xf32>
}
"""


def test_a_tile_is_clipped_and_keeps_the_rest() -> None:
    x, y = random(10), random(10, seed=1)
    (result,) = run(TILE, x, y)
    np.testing.assert_array_equal(result, np.concatenate([y[:8], -x[8:]]))
    np.testing.assert_array_equal(y, random(10, seed=1))


def test_an_element_written_twice_is_refused() -> None:
    text = """
    func.func @main(%x: tensor<4xf32>) -> tensor<4xf32> {
      %s = arith.constant 1 : index
      %r = rop.generic bounds [4] maps [affine_map<(d)[s] -> (d)>, affine_map<(d)[s] -> (d floordiv 2 + s)>]
          ins(%x : tensor<4xf32>) at(%s) {
      ^bb0(%p: f32):
        rop.yield %p : f32
      } -> tensor<4xf32>
      func.return %r : tensor<4xf32>
    }
    """
    with pytest.raises(RammerError, match="writes 4 times to 2 elements"):
        run(text, random(4))


def test_unwritten_elements_are_poisoned() -> None:
    text = """
    func.func @main(%x: tensor<2xf32>) -> (tensor<4xf32>, tensor<4xf32>) {
      %e = tensor.empty() : tensor<4xf32>
      %s = arith.constant 0 : index
      %r = rop.generic bounds [2] maps [affine_map<(d)[s] -> (d)>, affine_map<(d)[s] -> (d * 2 + s)>]
          ins(%x : tensor<2xf32>) at(%s) {
      ^bb0(%p: f32):
        rop.yield %p : f32
      } -> tensor<4xf32>
      func.return %r, %e : tensor<4xf32>, tensor<4xf32>
    }
    """
    written, empty = run(text, random(2))
    np.testing.assert_array_equal(np.isnan(written), [False, True, False, True])
    assert np.isnan(empty).all()


@pytest.mark.parametrize("reverse", ["", "reverse"])
@pytest.mark.parametrize("length", [0, 3, 5])
def test_scan(reverse: str, length: int) -> None:
    text = f"""
    func.func @main(%n: index, %x: tensor<5x2xf32>, %h: tensor<2xf32>, %w: tensor<2xf32>)
        -> (tensor<2xf32>, tensor<5x2xf32>) {{
      %last, %all = rop.scan %n {reverse} scanned(%x : tensor<5x2xf32>) carried(%h : tensor<2xf32>)
          captured(%w : tensor<2xf32>) {{
      ^bb0(%t: index, %xt: tensor<2xf32>, %ht: tensor<2xf32>, %v: tensor<2xf32>):
        %next = rop.generic bounds [2]
            maps [affine_map<(d) -> (d)>, affine_map<(d) -> (d)>, affine_map<(d) -> (d)>, affine_map<(d) -> (d)>]
            ins(%xt, %ht, %v : tensor<2xf32>, tensor<2xf32>, tensor<2xf32>) {{
        ^bb1(%p: f32, %q: f32, %r: f32):
          %m = arith.mulf %q, %r : f32
          %s = arith.addf %p, %m : f32
          rop.yield %s : f32
        }} -> tensor<2xf32>
        rop.yield %next, %next : tensor<2xf32>, tensor<2xf32>
      }} -> tensor<2xf32>, tensor<5x2xf32>
      func.return %last, %all : tensor<2xf32>, tensor<5x2xf32>
    }}
    """
    x, h, w = random(5, 2), random(2, seed=1), random(2, seed=2)
    rows = np.zeros((5, 2), np.float32)
    state = h
    for row in reversed(range(length)) if reverse else range(length):
        state = rows[row] = x[row] + state * w
    last, every = run(text, np.asarray(length), x, h, w)
    np.testing.assert_array_equal(last, state)
    np.testing.assert_array_equal(every, rows)


def test_a_step_reads_and_writes_rows_of_captured_tensors() -> None:
    text = """
    func.func @main(%n: index, %x: tensor<4x3xf32>, %h: tensor<5x3xf32>) -> tensor<5x3xf32> {
      %all = rop.scan %n carried(%h : tensor<5x3xf32>) captured(%x : tensor<4x3xf32>) {
      ^bb0(%t: index, %state: tensor<5x3xf32>, %rows: tensor<4x3xf32>):
        %next = rop.generic bounds [3]
            maps [affine_map<(d)[t] -> (t, d)>, affine_map<(d)[t] -> (t, d)>, affine_map<(d)[t] -> (t + 1, d)>]
            ins(%rows, %state : tensor<4x3xf32>, tensor<5x3xf32>) into(%state : tensor<5x3xf32>) at(%t) {
        ^bb1(%p: f32, %q: f32):
          %s = arith.addf %p, %q : f32
          rop.yield %s : f32
        } -> tensor<5x3xf32>
        rop.yield %next : tensor<5x3xf32>
      } -> tensor<5x3xf32>
      func.return %all : tensor<5x3xf32>
    }
    """
    x = np.arange(12, dtype=np.float32).reshape(4, 3)
    (result,) = run(text, np.asarray(3), x, np.zeros((5, 3), np.float32))
    np.testing.assert_array_equal(result[:4], np.concatenate([np.zeros((1, 3)), np.cumsum(x, axis=0)[:3]]))
    np.testing.assert_array_equal(result[4], 0)


WEIGHTS = """
rop.weight @filter : tensor<2x3xf32> hash "5f3a"
rop.weight @transposed : tensor<3x2xf32> {
  %w = rop.get_weight @filter : tensor<2x3xf32>
  %t = rop.generic bounds [3, 2] maps [affine_map<(i, j) -> (j, i)>, affine_map<(i, j) -> (i, j)>]
      ins(%w : tensor<2x3xf32>) {
  ^bb0(%p: f32):
    rop.yield %p : f32
  } -> tensor<3x2xf32>
  rop.yield %t : tensor<3x2xf32>
}
func.func private @again(%x: tensor<3x2xf32>) -> tensor<3x2xf32> {
  func.return %x : tensor<3x2xf32>
}
func.func @main() -> tensor<3x2xf32> {
  %t = rop.get_weight @transposed : tensor<3x2xf32>
  %r = func.call @again(%t) : (tensor<3x2xf32>) -> tensor<3x2xf32>
  func.return %r : tensor<3x2xf32>
}
"""


def test_weights_and_recipes() -> None:
    filter_ = random(2, 3)
    np.testing.assert_array_equal(run(WEIGHTS, weights={"filter": filter_})[0], filter_.T)
    module = module_of(WEIGHTS)
    derived = next(op for op in module.ops if isinstance(op, rop.WeightOp) and op.recipe is not None)
    np.testing.assert_array_equal(evaluate_recipe(derived, module, {"filter": filter_}), filter_.T)


def test_wrong_inputs_are_refused() -> None:
    with pytest.raises(InvalidInputError, match="no array is given for weight @filter"):
        run(WEIGHTS)
    with pytest.raises(InvalidInputError, match="input 0 of @main is float64"):
        run(TILE, np.zeros(10), random(10))
    with pytest.raises(InvalidInputError, match="no array is given for input 1"):
        run(TILE, random(10))
    with pytest.raises(InvalidInputError, match="no input 2"):
        run(TILE, random(10), random(10), random(10))
    with pytest.raises(InvalidInputError, match="no function @other"):
        run_module(module_of(TILE), {}, {}, entry="other")


def test_a_dimension_of_one_index_needs_no_combiner() -> None:
    text = """
    func.func @main(%x: tensor<1x3xf32>) -> tensor<3xf32> {
      %r = rop.generic bounds [1, 3] maps [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (j)>]
          ins(%x : tensor<1x3xf32>) {
      ^bb0(%p: f32):
        rop.yield %p : f32
      } -> tensor<3xf32>
      func.return %r : tensor<3xf32>
    }
    """
    x = random(1, 3)
    np.testing.assert_array_equal(run(text, x)[0], x[0])


def test_an_unknown_op_is_refused() -> None:
    text = """
    func.func @main(%x: tensor<2xf32>) -> tensor<2xf32> {
      %y = "test.op"(%x) : (tensor<2xf32>) -> tensor<2xf32>
      func.return %y : tensor<2xf32>
    }
    """
    with pytest.raises(RammerError, match=r"Could not find interpretation function for op test\.op"):
        run(text, random(2))


def test_inputs_go_by_name() -> None:
    text = """
    func.func @main(%x: tensor<2xf32> {rop.name = "image"}) -> tensor<2xf32> {
      func.return %x : tensor<2xf32>
    }
    """
    x = random(2)
    np.testing.assert_array_equal(run_module(module_of(text), {"image": x}, {})[0], x)


def test_what_a_tile_reads_out_of_range_is_poison() -> None:
    text = TILE.replace("(d)[s] -> (s * 4 + d)>, affine_map", "(d)[s] -> (s * 4 + d + 1)>, affine_map")
    x, y = random(10), random(10, seed=1)
    np.testing.assert_array_equal(run(text, x, y)[0], [*y[:8], -x[9], np.nan])


def test_a_write_out_of_range_names_the_generic() -> None:
    text = """
    func.func @main(%x: tensor<2xf32>, %y: tensor<?xf32>) -> tensor<?xf32> {
      %r = rop.generic bounds [2] maps [affine_map<(d) -> (d)>, affine_map<(d) -> (d)>]
          ins(%x : tensor<2xf32>) into(%y : tensor<?xf32>) {
      ^bb0(%p: f32):
        rop.yield %p : f32
      } -> tensor<?xf32>
      func.return %r : tensor<?xf32>
    }
    """
    np.testing.assert_array_equal(run(text, random(2), random(3, seed=1)), [[*random(2), random(3, seed=1)[2]]])
    with pytest.raises(RammerError, match=r"<text>:3:.*leaves \[1\]"):
        run(text, random(2), random(1))


def test_gather_by_indices_in_a_tensor() -> None:
    text = """
    func.func @main(%i: tensor<4xi64>, %x: tensor<5x2xf32>) -> tensor<4x2xf32> {
      %r = rop.generic bounds [4, 2] maps [affine_map<(i, j) -> (i)>, affine_map<(i, j) -> (i, j)>]
          ins(%i : tensor<4xi64>) {
      ^bb0(%p: i64):
        %row = arith.index_cast %p : i64 to index
        %column = rop.index 1
        %e = rop.extract %x[%row, %column] : tensor<5x2xf32>
        rop.yield %e : f32
      } -> tensor<4x2xf32>
      func.return %r : tensor<4x2xf32>
    }
    """
    indices, x = np.array([4, 0, -7, 9]), random(5, 2)
    np.testing.assert_array_equal(run(text, indices, x)[0], x[[4, 0, 0, 4]])


@pytest.mark.parametrize(("low", "high"), [(-100, 100), (-(2**31), 2**31)])
def test_integer_contractions_wrap(low: int, high: int) -> None:
    text = """
    func.func @main(%x: tensor<4x6xi32>, %y: tensor<6x5xi32>) -> tensor<4x5xi32> {
      %r = rop.generic bounds [4, 5, 6]
          maps [affine_map<(i, j, k) -> (i, k)>, affine_map<(i, j, k) -> (k, j)>, affine_map<(i, j, k) -> (i, j)>]
          reduce [add] ins(%x, %y : tensor<4x6xi32>, tensor<6x5xi32>) {
      ^bb0(%p: i32, %q: i32):
        %m = arith.muli %p, %q : i32
        rop.yield %m : i32
      } -> tensor<4x5xi32>
      func.return %r : tensor<4x5xi32>
    }
    """
    values = np.random.default_rng(0).integers(low, high, (2, 30), dtype=np.int32)
    x, y = values[0, :24].reshape(4, 6), values[1].reshape(6, 5)
    np.testing.assert_array_equal(run(text, x, y)[0], x @ y)


def test_a_large_convolution_is_fast() -> None:
    text = """
    func.func @main(%x: tensor<1x64x112x112xf32>, %w: tensor<64x64x3x3xf32>) -> tensor<1x64x112x112xf32> {
      %c = rop.generic bounds [64, 112, 112, 64, 3, 3]
          maps [affine_map<(o, h, w, i, y, x) -> (0, i, h + y - 1, w + x - 1)>,
                affine_map<(o, h, w, i, y, x) -> (o, i, y, x)>,
                affine_map<(o, h, w, i, y, x) -> (0, o, h, w)>]
          reduce [add] pad [0.0 : f32, unit] ins(%x, %w : tensor<1x64x112x112xf32>, tensor<64x64x3x3xf32>) {
      ^bb0(%p: f32, %q: f32):
        %m = arith.mulf %p, %q : f32
        rop.yield %m : f32
      } -> tensor<1x64x112x112xf32>
      func.return %c : tensor<1x64x112x112xf32>
    }
    """
    start = time.perf_counter()
    run(text, random(1, 64, 112, 112), random(64, 64, 3, 3))
    assert time.perf_counter() - start < 20


BOUNDS = (2, 3, 4)
TERMS = st.tuples(st.integers(0, 2), st.integers(1, 2), st.integers(-2, 2), st.sampled_from(["none", "div", "mod"]))


def _expression(term: tuple[int, int, int, str], dims: list[AffineExpr]) -> AffineExpr:
    dim, step, offset, kind = term
    linear = dims[dim] * step + offset
    return {"none": linear, "div": linear // 2, "mod": linear % 3}[kind]


@st.composite
def generics(draw: st.DrawFn) -> tuple[rop.GenericOp, Sequence[SSAValue]]:
    """Two padded inputs read by arbitrary maps, and a result over some of the dimensions."""
    dims = [AffineExpr.dimension(position) for position in range(3)]
    maps = [
        AffineMap(3, 0, tuple(_expression(term, dims) for term in draw(st.lists(TERMS, min_size=0, max_size=3))))
        for _ in range(2)
    ]
    kept = draw(st.lists(st.sampled_from(range(3)), unique=True))
    maps.append(AffineMap(3, 0, tuple(dims[dim] for dim in kept)))
    shapes = [[draw(st.integers(1, 4)) for _ in read.results] for read in maps[:2]]
    combiner = draw(st.sampled_from([rop.Combiner.ADD, rop.Combiner.MULTIPLY, rop.Combiner.MAXIMUM]))
    types: list[TensorType[Float32Type]] = [TensorType(f32, shape) for shape in shapes]
    sources: list[SSAValue] = [test.TestOp(result_types=[tensor]).results[0] for tensor in types]
    block = Block(arg_types=[f32, f32])
    product = draw(st.sampled_from([arith.MulfOp, arith.SubfOp]))(block.args[0], block.args[1])
    block.add_ops([product, rop.YieldOp(product)])
    op = rop.GenericOp(
        BOUNDS,
        [AffineMapAttr(read) for read in maps],
        sources,
        [TensorType(f32, [BOUNDS[dim] for dim in kept])],
        Region(block),
        reduce=[combiner],
        pad=[FloatAttr(0.5, f32), FloatAttr(-2.0, f32)],
    )
    op.verify()
    return op, sources


def by_points(op: rop.GenericOp, inputs: list[Array]) -> Array:
    """The result point by point in float64."""
    values: dict[tuple[int, ...], list[float]] = {}
    for point in itertools.product(*map(range, op.bounds)):
        read: list[float] = []
        for tensor, map_attr, pad in zip(inputs, op.input_maps, (0.5, -2.0), strict=True):
            index = map_attr.data.eval(point, ())
            inside = all(0 <= i < extent for i, extent in zip(index, tensor.shape, strict=True))
            read.append(float(tensor[index]) if inside else pad)
        a, b = read
        value = a * b if isinstance(op.body.block.first_op, arith.MulfOp) else float(np.float32(a) - np.float32(b))
        values.setdefault(op.output_maps[0].data.eval(point, ()), []).append(value)
    combine = {rop.Combiner.ADD: np.sum, rop.Combiner.MULTIPLY: np.prod, rop.Combiner.MAXIMUM: np.max}
    shape = [BOUNDS[next(iter(expr.used_dims()))] for expr in op.output_maps[0].data.results]
    result = np.full(shape, np.nan)
    for index, several in values.items():
        result[index] = combine[op.combiners[0]](several)
    return result


@settings(max_examples=200)
@given(generics(), st.integers(0, 2**31), st.sampled_from([1, 5, 1000]))
def test_generics_agree_with_points(case: tuple[rop.GenericOp, Sequence[SSAValue]], seed: int, points: int) -> None:
    op, sources = case
    rng = np.random.default_rng(seed)
    inputs = [rng.standard_normal(shape_of(value.type)).astype(np.float32) for value in sources]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(generic, "POINTS_AT_ONCE", points)
        (result,) = evaluate_generic(op, dict(zip(sources, inputs, strict=True)).__getitem__)
    assert result.dtype == np.float32
    np.testing.assert_allclose(result, by_points(op, inputs), rtol=1e-6, atol=1e-6)
