"""The reference semantics of the `rtask` level."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from xdsl.dialects.builtin import ModuleOp

from rammer_ir.context import new_context
from rammer_ir.dialects import rtask
from rammer_ir.errors import RammerError
from rammer_ir.interpreters import generic
from rammer_ir.interpreters.boxes import check_boxes
from rammer_ir.interpreters.kernel_region import run_kernel
from rammer_ir.interpreters.rtask import run_module
from rammer_ir.parsing import parse_module

Array = npt.NDArray[Any]


def module_of(text: str) -> ModuleOp:
    module = parse_module(new_context(), text)
    module.verify()
    return module


def kernel_of(text: str) -> rtask.KernelOp:
    return next(op for op in module_of(text).ops if isinstance(op, rtask.KernelOp))


def random(*shape: int, seed: int = 0) -> Array:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


CONVOLUTION = """
rtask.kernel @conv_relu grid [2, 3, 2] reads [
    #rtask.box<(o, h, w) -> (0, h * 4 - 1, w * 4 - 1) by [3, 6, 6]>,
    #rtask.box<(o, h, w) -> (o * 4, 0, 0, 0) by [4, 3, 3, 3]>]
  writes [#rtask.box<(o, h, w) -> (o * 4, h * 4, w * 4) by [4, 4, 4]>] {
^bb0(%o: index, %h: index, %w: index, %x: tensor<3x9x8xf32>, %k: tensor<7x3x3x3xf32>, %y: tensor<7x9x8xf32>):
  %sum = rop.generic bounds [4, 4, 4, 3, 3, 3]
      maps [affine_map<(a, b, c, i, y, x)[o, h, w] -> (i, h * 4 + b + y - 1, w * 4 + c + x - 1)>,
            affine_map<(a, b, c, i, y, x)[o, h, w] -> (o * 4 + a, i, y, x)>,
            affine_map<(a, b, c, i, y, x)[o, h, w] -> (a, b, c)>]
      reduce [add] pad [0.0 : f32, unit] ins(%x, %k : tensor<3x9x8xf32>, tensor<7x3x3x3xf32>) at(%o, %h, %w) {
  ^bb1(%p: f32, %q: f32):
    %m = arith.mulf %p, %q : f32
    rop.yield %m : f32
  } -> tensor<4x4x4xf32>
  %r = rop.generic bounds [4, 4, 4]
      maps [affine_map<(a, b, c)[o, h, w] -> (a, b, c)>,
            affine_map<(a, b, c)[o, h, w] -> (o * 4 + a, h * 4 + b, w * 4 + c)>]
      ins(%sum : tensor<4x4x4xf32>) into(%y : tensor<7x9x8xf32>) at(%o, %h, %w) {
  ^bb1(%p: f32):
    %zero = arith.constant 0.0 : f32
    %m = arith.maximumf %p, %zero : f32
    rop.yield %m : f32
  } -> tensor<7x9x8xf32>
  rtask.yield %r : tensor<7x9x8xf32>
}
func.func @main(%x: tensor<3x9x8xf32>, %k: tensor<7x3x3x3xf32>) -> tensor<7x9x8xf32> {
  %e = tensor.empty() : tensor<7x9x8xf32>
  %y = rtask.dispatch @conv_relu ins(%x, %k : tensor<3x9x8xf32>, tensor<7x3x3x3xf32>) into(%e : tensor<7x9x8xf32>)
      -> tensor<7x9x8xf32>
  func.return %y : tensor<7x9x8xf32>
}
"""


def convolution_relu(image: Array, weights: Array) -> Array:
    padded = np.pad(image.astype(np.float64), ((0, 0), (1, 1), (1, 1)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(1, 2))
    return np.maximum(np.einsum("ihwyx,oiyx->ohw", windows, weights.astype(np.float64)), 0)


@pytest.mark.parametrize("points", [50, 1 << 22])
def test_tiles_with_a_border_make_the_whole(points: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generic, "POINTS_AT_ONCE", points)
    image, weights = random(3, 9, 8), random(7, 3, 3, 3, seed=1)
    (result,) = run_module(module_of(CONVOLUTION), {0: image, 1: weights}, {})
    np.testing.assert_array_equal(result, convolution_relu(image, weights).astype(np.float32))


def test_some_tasks_write_their_tiles_only() -> None:
    image, weights, before = random(3, 9, 8), random(7, 3, 3, 3, seed=1), random(7, 9, 8, seed=2)
    kernel = kernel_of(CONVOLUTION)
    (result,) = run_kernel(kernel, [image, weights], [before], tasks=np.array([1, 11]))
    expected = before.copy()
    whole = convolution_relu(image, weights).astype(np.float32)
    for tile in (np.s_[:4, :4, 4:], np.s_[4:, 8:, 4:]):
        expected[tile] = whole[tile]
    np.testing.assert_array_equal(result, expected)


def test_boxes_of_a_convolution_are_what_it_touches() -> None:
    coverage = check_boxes(kernel_of(CONVOLUTION))
    assert coverage.reads == (1.0, 1.0)
    assert coverage.writes == (1.0,)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("h * 4 - 1, w * 4 - 1) by [3, 6, 6]", "h * 4 - 1, w * 4) by [3, 6, 6]", "task 1 of @conv_relu reads"),
        ("w * 4 - 1) by [3, 6, 6]", "w * 4 - 1) by [3, 5, 6]", "task 0 of @conv_relu reads"),
        ("w * 4) by [4, 4, 4]", "w * 4) by [3, 4, 4]", "task 0 of @conv_relu writes"),
    ],
)
def test_a_box_that_is_too_small_is_refused(old: str, new: str, message: str) -> None:
    with pytest.raises(RammerError, match=message):
        check_boxes(kernel_of(CONVOLUTION.replace(old, new)))


def test_a_box_may_be_larger_than_what_is_touched() -> None:
    coverage = check_boxes(kernel_of(CONVOLUTION.replace("w * 4 - 1) by [3, 6, 6]", "w * 4 - 1) by [3, 6, 8]")))
    assert coverage.reads[0] < 1.0


SPLIT = """
rtask.kernel @part grid [3] reads [#rtask.box<(s) -> (0, s * 4) by [5, 4]>, #rtask.box<(s) -> (s * 4) by [4]>]
    writes [#rtask.box<(s) -> (s, 0) by [1, 5]>] {
^bb0(%s: index, %a: tensor<5x12xf32>, %x: tensor<12xf32>, %y: tensor<3x5xf32>):
  %r = rop.generic bounds [5, 4]
      maps [affine_map<(i, k)[s] -> (i, s * 4 + k)>, affine_map<(i, k)[s] -> (s * 4 + k)>,
            affine_map<(i, k)[s] -> (s, i)>]
      reduce [add] ins(%a, %x : tensor<5x12xf32>, tensor<12xf32>) into(%y : tensor<3x5xf32>) at(%s) {
  ^bb1(%p: f32, %q: f32):
    %m = arith.mulf %p, %q : f32
    rop.yield %m : f32
  } -> tensor<3x5xf32>
  rtask.yield %r : tensor<3x5xf32>
}
rtask.kernel @sum grid [1] reads [#rtask.box<(s) -> (0, 0) by [3, 5]>] writes [#rtask.box<(s) -> (0) by [5]>] {
^bb0(%s: index, %x: tensor<3x5xf32>, %y: tensor<5xf32>):
  %r = rop.generic bounds [5, 3] maps [affine_map<(i, k)[s] -> (k, i)>, affine_map<(i, k)[s] -> (i)>]
      reduce [add] ins(%x : tensor<3x5xf32>) into(%y : tensor<5xf32>) at(%s) {
  ^bb1(%p: f32):
    rop.yield %p : f32
  } -> tensor<5xf32>
  rtask.yield %r : tensor<5xf32>
}
func.func @main(%a: tensor<5x12xf32>, %x: tensor<12xf32>) -> tensor<5xf32> {
  %y = rtask.alternatives ins(%a, %x : tensor<5x12xf32>, tensor<12xf32>) {
  ^bb0(%b: tensor<5x12xf32>, %z: tensor<12xf32>):
    %e = tensor.empty() : tensor<3x5xf32>
    %0 = rtask.dispatch @part ins(%b, %z : tensor<5x12xf32>, tensor<12xf32>) into(%e : tensor<3x5xf32>)
        -> tensor<3x5xf32>
    %f = tensor.empty() : tensor<5xf32>
    %1 = rtask.dispatch @sum ins(%0 : tensor<3x5xf32>) into(%f : tensor<5xf32>) -> tensor<5xf32>
    rtask.yield %1 : tensor<5xf32>
  }, {
  ^bb0(%b: tensor<5x12xf32>, %z: tensor<12xf32>):
    %f = tensor.empty() : tensor<5xf32>
    rtask.yield %f : tensor<5xf32>
  } -> tensor<5xf32>
  func.return %y : tensor<5xf32>
}
"""


def test_alternatives_run_the_chosen_candidate() -> None:
    matrix, vector = random(5, 12), random(12, seed=1)
    (result,) = run_module(module_of(SPLIT), {0: matrix, 1: vector}, {})
    np.testing.assert_allclose(result, matrix.astype(np.float64) @ vector, rtol=1e-5)
    (other,) = run_module(module_of(SPLIT), {0: matrix, 1: vector}, {}, choice=lambda op: 1)
    assert np.isnan(other).all()


def test_tasks_that_write_the_same_element_are_refused() -> None:
    kernel = kernel_of(SPLIT.replace("affine_map<(i, k)[s] -> (s, i)>", "affine_map<(i, k)[s] -> (0, i)>"))
    with pytest.raises(RammerError, match="writes 15 times to 5 elements"):
        run_kernel(kernel, [random(5, 12), random(12)], [random(3, 5)])


LOOP = """
rtask.kernel @step grid [2] loops 1 reads [#rtask.box<(p)[t] -> (t, 0) by [1, 4]>]
    writes [#rtask.box<(p)[t] -> (t + 1, p * 2) by [1, 2]>] {
^bb0(%p: index, %t: index, %x: tensor<6x4xf32>, %y: tensor<6x4xf32>):
  %scratch = tensor.empty() : tensor<2xf32>
  %s = rop.generic bounds [2, 4] maps [affine_map<(i, k)[p, t] -> (t, k)>, affine_map<(i, k)[p, t] -> (i)>]
      reduce [add] ins(%x : tensor<6x4xf32>) into(%scratch : tensor<2xf32>) at(%p, %t) {
  ^bb1(%a: f32):
    %i = rop.index 0
    %k = rop.index 1
    %j = arith.muli %p, %k : index
    %l = arith.addi %i, %j : index
    %m = arith.index_cast %l : index to i32
    %f = arith.sitofp %m : i32 to f32
    %b = arith.mulf %a, %f : f32
    rop.yield %b : f32
  } -> tensor<2xf32>
  %r = rop.generic bounds [2] maps [affine_map<(i)[p, t] -> (i)>, affine_map<(i)[p, t] -> (t + 1, p * 2 + i)>]
      ins(%s : tensor<2xf32>) into(%y : tensor<6x4xf32>) at(%p, %t) {
  ^bb1(%a: f32):
    rop.yield %a : f32
  } -> tensor<6x4xf32>
  rtask.yield %r : tensor<6x4xf32>
}
func.func @main(%n: index, %x: tensor<6x4xf32>) -> tensor<6x4xf32> {
  %r = rop.scan %n carried(%x : tensor<6x4xf32>) {
  ^bb0(%t: index, %h: tensor<6x4xf32>):
    %y = rtask.dispatch @step ins(%h : tensor<6x4xf32>) into(%h : tensor<6x4xf32>) at(%t) -> tensor<6x4xf32>
    rop.yield %y : tensor<6x4xf32>
  } -> tensor<6x4xf32>
  func.return %r : tensor<6x4xf32>
}
"""


def test_a_kernel_in_a_loop_with_scratch_of_its_tasks() -> None:
    x = np.random.default_rng(0).integers(-3, 3, (6, 4)).astype(np.float32)
    factors = np.array([[i + p * k for k in range(4)] for p in range(2) for i in range(2)])
    expected = x.copy()
    for t in range(3):
        expected[t + 1] = factors @ expected[t]
    (result,) = run_module(module_of(LOOP), {0: np.asarray(3), 1: x}, {})
    np.testing.assert_array_equal(result, expected)
    coverage = check_boxes(kernel_of(LOOP), loop=2)
    assert (coverage.reads, coverage.writes) == ((1.0,), (1.0,))
    with pytest.raises(RammerError, match="task 0 of @step reads"):
        check_boxes(kernel_of(LOOP.replace("(p)[t] -> (t, 0)", "(p)[t] -> (t + 1, 0)")), loop=2)
