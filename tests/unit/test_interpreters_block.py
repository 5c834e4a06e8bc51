"""The reference semantics of bodies in block form, and the check of bodies against their kernels."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from xdsl.dialects.builtin import ModuleOp

from rammer_ir.context import new_context
from rammer_ir.dialects import block, rtask
from rammer_ir.errors import RammerError
from rammer_ir.interpreters.block import run_body
from rammer_ir.interpreters.kernel_check import check_kernel
from rammer_ir.parsing import parse_module

Array = npt.NDArray[Any]


def module_of(text: str) -> ModuleOp:
    module = parse_module(new_context(), text)
    module.verify()
    return module


def body_of(text: str) -> block.BodyOp:
    return next(op for op in module_of(text).ops if isinstance(op, block.BodyOp))


def kernel_in(module: ModuleOp) -> rtask.KernelOp:
    return next(op for op in module.ops if isinstance(op, rtask.KernelOp))


def random(*shape: int, seed: int = 0) -> Array:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


SCALE = """
block.body @scale_block threads 4 {
^bb0(%task: index, %t: index, %x: memref<?xf32, "global">, %y: memref<?xf32, "global">, %n: index, %tile: index):
  %first = arith.muli %task, %tile : index
  block.parallel thread (%i) in %tile {
    %address = arith.addi %first, %i : index
    %inside = arith.cmpi ult, %address, %n : index
    scf.if %inside {
      %v = memref.load %x[%address] : memref<?xf32, "global">
      %two = arith.constant 2.0 : f32
      %w = arith.mulf %v, %two : f32
      memref.store %w, %y[%address] : memref<?xf32, "global">
    }
  }
  block.yield
}
rtask.kernel @scale grid [4] reads [#rtask.box<(i) -> (i * 8) by [8]>] writes [#rtask.box<(i) -> (i * 8) by [8]>] {
^bb0(%i: index, %x: tensor<30xf32>, %y: tensor<30xf32>):
  %r = rop.generic bounds [8] maps [affine_map<(d)[i] -> (i * 8 + d)>, affine_map<(d)[i] -> (i * 8 + d)>]
      ins(%x : tensor<30xf32>) into(%y : tensor<30xf32>) at(%i) {
  ^bb1(%p: f32):
    %two = arith.constant 2.0 : f32
    %m = arith.mulf %p, %two : f32
    rop.yield %m : f32
  } -> tensor<30xf32>
  rtask.yield %r : tensor<30xf32>
} implementation @scale_block [30, 8]
"""


def test_a_body_that_computes_what_its_kernel_says() -> None:
    module = module_of(SCALE)
    check_kernel(module, kernel_in(module))


def test_a_body_that_computes_something_else_is_refused() -> None:
    module = module_of(
        SCALE.replace("%two = arith.constant 2.0 : f32\n      %w", "%two = arith.constant 3.0 : f32\n      %w")
    )
    with pytest.raises(
        RammerError, match=r"differs from its region in result 0: 30 of 30 elements differ, the first at \[0\]"
    ):
        check_kernel(module, kernel_in(module))


def test_a_body_that_leaves_its_tensors_is_refused() -> None:
    module = module_of(SCALE.replace("implementation @scale_block [30, 8]", "implementation @scale_block [32, 8]"))
    with pytest.raises(RammerError, match=r"task 3 of @scale: index \[30\] leaves an array of \[30\] in global memory"):
        check_kernel(module, kernel_in(module))


def test_a_kernel_without_a_body_is_refused() -> None:
    module = module_of(SCALE.replace("implementation @scale_block [30, 8]", ""))
    with pytest.raises(RammerError, match="has no implementation"):
        check_kernel(module, kernel_in(module))


SOFTMAX = """
block.body @softmax threads 64 {
^bb0(%task: index, %t: index, %x: memref<?xf32, "global">, %y: memref<?xf32, "global">, %rows: index, %n: index):
  block.parallel warp (%row) in %rows {
    %first = arith.muli %row, %n : index
    %largest = block.warp_reduce maximum (%k) in %n -> f32 {
      %address = arith.addi %first, %k : index
      %v = memref.load %x[%address] : memref<?xf32, "global">
      block.yield %v : f32
    }
    %sum = block.warp_reduce add (%k) in %n -> f32 {
      %address = arith.addi %first, %k : index
      %v = memref.load %x[%address] : memref<?xf32, "global">
      %d = arith.subf %v, %largest : f32
      %e = math.exp %d : f32
      block.yield %e : f32
    }
    memref.store %sum, %y[%row] : memref<?xf32, "global">
  }
  block.yield
}
"""


def test_reductions_by_warps() -> None:
    x, y = random(3, 7), np.zeros(3, np.float32)
    run_body(body_of(SOFTMAX), [x.reshape(-1), y], [3, 7], 0)
    np.testing.assert_allclose(y, np.exp(x - x.max(axis=1, keepdims=True)).sum(axis=1), rtol=1e-6)


REVERSE = """
block.body @reverse threads 8 {
^bb0(%task: index, %t: index, %x: memref<?xf32, "global">, %y: memref<?xf32, "global">):
  %n = arith.constant 8 : index
  %last = arith.constant 7 : index
  %tile = memref.alloca() : memref<8xf32, "shared">
  block.parallel thread (%i) in %n {
    %v = memref.load %x[%i] : memref<?xf32, "global">
    memref.store %v, %tile[%i] : memref<8xf32, "shared">
  }
  block.barrier
  block.parallel thread (%i) in %n {
    %j = arith.subi %last, %i : index
    %v = memref.load %tile[%j] : memref<8xf32, "shared">
    memref.store %v, %y[%i] : memref<?xf32, "global">
  }
  block.yield
}
"""


def test_shared_memory_after_a_barrier() -> None:
    x, y = random(8), np.zeros(8, np.float32)
    run_body(body_of(REVERSE), [x, y], [], 0)
    np.testing.assert_array_equal(y, x[::-1])


def test_a_missing_barrier_is_found() -> None:
    with pytest.raises(RammerError, match="reads what another has written since the last barrier"):
        run_body(body_of(REVERSE.replace("block.barrier", "")), [random(8), random(8)], [], 0)


def test_a_thread_may_read_what_it_wrote_itself() -> None:
    text = REVERSE.replace("block.barrier", "").replace(
        "%j = arith.subi %last, %i : index", "%j = arith.addi %i, %z : index"
    )
    text = text.replace("%last = arith.constant 7", "%z = arith.constant 0")
    x, y = random(8), np.zeros(8, np.float32)
    run_body(body_of(text), [x, y], [], 0)
    np.testing.assert_array_equal(y, x)


def test_overwriting_what_others_have_read_is_found() -> None:
    text = REVERSE.replace(
        'memref.store %v, %y[%i] : memref<?xf32, "global">\n  }\n',
        'memref.store %v, %tile[%i] : memref<8xf32, "shared">\n  }\n',
    )
    with pytest.raises(RammerError, match="overwrites what another has read since the last barrier"):
        run_body(body_of(text), [random(8), random(8)], [], 0)


def test_iterations_that_write_different_values_to_one_place_are_found() -> None:
    text = """
    block.body @clash threads 8 {
    ^bb0(%task: index, %t: index, %x: memref<?xf32, "global">, %y: memref<?xf32, "global">):
      %n = arith.constant 8 : index
      %zero = arith.constant 0 : index
      block.parallel thread (%i) in %n {
        %v = memref.load %x[%i] : memref<?xf32, "global">
        memref.store %v, %y[%zero] : memref<?xf32, "global">
      }
      block.yield
    }
    """
    with pytest.raises(RammerError, match="write different values to one place"):
        run_body(body_of(text), [random(8), random(8)], [], 0)


TRIANGLE = """
block.body @triangle threads 8 {
^bb0(%task: index, %t: index, %x: memref<?xf32, "global">, %y: memref<?xf32, "global">):
  %n = arith.constant 8 : index
  %zero = arith.constant 0 : index
  %one = arith.constant 1 : index
  %three = arith.constant 3 : index
  %none = arith.constant 0.0 : f32
  block.parallel thread (%i) in %n {
    %sum = scf.for %k = %zero to %i step %one iter_args(%a = %none) -> (f32) {
      %v = memref.load %x[%k] : memref<?xf32, "global">
      %b = arith.addf %a, %v : f32
      scf.yield %b : f32
    }
    %is_small = arith.cmpi slt, %i, %three : index
    %result = scf.if %is_small -> (f32) {
      %negative = arith.negf %sum : f32
      scf.yield %negative : f32
    } else {
      %address = arith.subi %i, %three : index
      %v = memref.load %x[%address] : memref<?xf32, "global">
      %c = arith.addf %sum, %v : f32
      scf.yield %c : f32
    }
    memref.store %result, %y[%i] : memref<?xf32, "global">
  }
  block.yield
}
"""


def test_loops_and_conditions_that_differ_by_thread() -> None:
    x, y = np.arange(1, 9, dtype=np.float32), np.zeros(8, np.float32)
    run_body(body_of(TRIANGLE), [x, y], [], 0)
    sums = np.array([x[:i].sum() for i in range(8)])
    np.testing.assert_array_equal(y, [*-sums[:3], *(sums[3:] + x[:5])])


PRIVATE = """
block.body @private threads 8 {
^bb0(%task: index, %t: index, %x: memref<?xf32, "global">, %y: memref<?xf32, "global">, %n: index):
  %zero = arith.constant 0 : index
  %mine = memref.alloca() : memref<4xf32, "thread">
  block.parallel thread (%i) in %n {
    %four = arith.constant 4 : index
    %first = arith.muli %i, %four : index
    block.copy 4 %x[%first], %mine[%zero] : memref<?xf32, "global">, memref<4xf32, "thread">
  }
  block.parallel thread (%i) in %n {
    %three = arith.constant 3 : index
    %v = memref.load %mine[%three] : memref<4xf32, "thread">
    memref.store %v, %y[%i] : memref<?xf32, "global">
  }
  block.yield
}
"""


def test_per_thread_memory_lives_across_loops() -> None:
    x, y = random(24), np.zeros(6, np.float32)
    run_body(body_of(PRIVATE), [x, y], [6], 0)
    np.testing.assert_array_equal(y, x[3::4])


def test_per_thread_memory_needs_a_thread_for_each_iteration() -> None:
    with pytest.raises(RammerError, match="at most the body's threads"):
        run_body(body_of(PRIVATE), [random(48), random(12)], [9], 0)


def test_copies_are_aligned() -> None:
    text = PRIVATE.replace("%four = arith.constant 4", "%four = arith.constant 3")
    with pytest.raises(RammerError, match="a copy of 4 elements starts at 3"):
        run_body(body_of(text), [random(24), random(6)], [6], 0)


PRODUCT = """
rop.weight @w : tensor<8x4xf32> hash "0"
block.body @product_block threads 32 {
^bb0(%task: index, %t: index, %x: memref<?xf32, "global">, %w: memref<?xf32, "weights">, %y: memref<?xf32, "global">,
     %rows: index):
  %zero = arith.constant 0 : index
  %one = arith.constant 1 : index
  %two = arith.constant 2 : index
  %four = arith.constant 4 : index
  %eight = arith.constant 8 : index
  %threads = arith.constant 16 : index
  %row_of_task = arith.muli %task, %four : index
  %acc = memref.alloca() : memref<1xf32, "thread">
  %tile = memref.alloca() : memref<2x4x4xf32, "shared">
  block.parallel thread (%i) in %threads {
    %none = arith.constant 0.0 : f32
    memref.store %none, %acc[%zero] : memref<1xf32, "thread">
    %m = arith.divui %i, %four : index
    %k = arith.remui %i, %four : index
    %row = arith.addi %row_of_task, %m : index
    %is_inside = arith.cmpi ult, %row, %rows : index
    %offset = arith.muli %row, %eight : index
    %address = arith.addi %offset, %k : index
    block.copy_async 1 %x[%address], %tile[%zero, %k, %m] if %is_inside
        : memref<?xf32, "global">, memref<2x4x4xf32, "shared">
  }
  block.commit_copies
  scf.for %chunk = %zero to %two step %one {
    %buffer = arith.remui %chunk, %two : index
    %next = arith.addi %chunk, %one : index
    %next_buffer = arith.remui %next, %two : index
    %weights = block.ring_wait : memref<4x4xf32, "shared">
    block.parallel thread (%i) in %threads {
      %m = arith.divui %i, %four : index
      %k = arith.remui %i, %four : index
      %row = arith.addi %row_of_task, %m : index
      %is_inside = arith.cmpi ult, %row, %rows : index
      %is_more = arith.cmpi slt, %next, %two : index
      %is_read = arith.andi %is_inside, %is_more : i1
      %offset = arith.muli %row, %eight : index
      %base = arith.muli %next, %four : index
      %start = arith.addi %offset, %base : index
      %address = arith.addi %start, %k : index
      block.copy_async 1 %x[%address], %tile[%next_buffer, %k, %m] if %is_read
          : memref<?xf32, "global">, memref<2x4x4xf32, "shared">
    }
    block.commit_copies
    block.wait_copies 1
    block.barrier
    block.parallel thread (%i) in %threads {
      %m = arith.divui %i, %four : index
      %n = arith.remui %i, %four : index
      scf.for %k = %zero to %four step %one {
        %a = memref.load %tile[%buffer, %k, %m] : memref<2x4x4xf32, "shared">
        %b = memref.load %weights[%k, %n] : memref<4x4xf32, "shared">
        %c = memref.load %acc[%zero] : memref<1xf32, "thread">
        %p = arith.mulf %a, %b : f32
        %s = arith.addf %c, %p : f32
        memref.store %s, %acc[%zero] : memref<1xf32, "thread">
      }
    }
    block.barrier
    block.ring_release
  }
  block.wait_copies 0
  block.parallel thread (%i) in %threads {
    %m = arith.divui %i, %four : index
    %n = arith.remui %i, %four : index
    %row = arith.addi %row_of_task, %m : index
    %is_inside = arith.cmpi ult, %row, %rows : index
    scf.if %is_inside {
      %s = memref.load %acc[%zero] : memref<1xf32, "thread">
      %offset = arith.muli %row, %four : index
      %address = arith.addi %offset, %n : index
      memref.store %s, %y[%address] : memref<?xf32, "global">
    }
  }
  block.yield
} service {
^bb0(%task: index, %t: index, %x: memref<?xf32, "global">, %w: memref<?xf32, "weights">, %y: memref<?xf32, "global">,
     %rows: index):
  %zero = arith.constant 0 : index
  %one = arith.constant 1 : index
  %two = arith.constant 2 : index
  %sixteen = arith.constant 16 : index
  scf.for %chunk = %zero to %two step %one {
    %address = arith.muli %chunk, %sixteen : index
    block.ring_push 16 %w[%address] : memref<?xf32, "weights">
  }
  block.yield
}
rtask.kernel @product grid [2] reads [#rtask.box<(i) -> (i * 4, 0) by [4, 8]>]
    writes [#rtask.box<(i) -> (i * 4, 0) by [4, 4]>] {
^bb0(%i: index, %x: tensor<7x8xf32>, %y: tensor<7x4xf32>):
  %w = arith.constant dense<[[1.0, 2.0, 3.0, 4.0], [0.5, 0.25, -1.0, 2.0], [0.0, 1.0, 0.0, 1.0], [3.0, 1.0, 2.0, 0.5],
      [1.0, -2.0, 3.0, -4.0], [0.5, 1.25, 1.0, 2.0], [2.0, 1.0, 0.0, 1.0], [3.0, -1.0, 2.0, 0.5]]> : tensor<8x4xf32>
  %r = rop.generic bounds [4, 4, 8]
      maps [affine_map<(m, n, k)[i] -> (i * 4 + m, k)>, affine_map<(m, n, k)[i] -> (k, n)>,
            affine_map<(m, n, k)[i] -> (i * 4 + m, n)>]
      reduce [add] ins(%x, %w : tensor<7x8xf32>, tensor<8x4xf32>) into(%y : tensor<7x4xf32>) at(%i) {
  ^bb1(%p: f32, %q: f32):
    %m = arith.mulf %p, %q : f32
    rop.yield %m : f32
  } -> tensor<7x4xf32>
  rtask.yield %r : tensor<7x4xf32>
} implementation @product_block [7] constants [@w]
"""

WEIGHT = np.array(
    [
        [1.0, 2.0, 3.0, 4.0],
        [0.5, 0.25, -1.0, 2.0],
        [0.0, 1.0, 0.0, 1.0],
        [3.0, 1.0, 2.0, 0.5],
        [1.0, -2.0, 3.0, -4.0],
        [0.5, 1.25, 1.0, 2.0],
        [2.0, 1.0, 0.0, 1.0],
        [3.0, -1.0, 2.0, 0.5],
    ],
    np.float32,
)


def test_asynchronous_copies_and_the_ring() -> None:
    module = module_of(PRODUCT)
    check_kernel(module, kernel_in(module), weights={"w": WEIGHT})


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("block.wait_copies 1\n", "", "differs from its region"),
        ("block.wait_copies 0\n", "", "asynchronous copies are not waited for"),
        ("block.wait_copies 1\n    block.barrier\n", "block.wait_copies 1\n", "since the last barrier"),
        ("block.barrier\n    block.ring_release", "block.ring_release", "since the last barrier"),
        ("    block.ring_release\n", "", "leaves 0 chunks of the ring unread, 2 unreleased"),
        ("block.ring_push 16", "block.ring_push 8", "a chunk of 8 weights is taken as an array of"),
        (
            "%chunk = %zero to %two step %one {\n    %address",
            "%chunk = %zero to %one step %one {\n    %address",
            "waits for a chunk",
        ),
    ],
)
def test_what_is_wrong_with_copies_is_found(old: str, new: str, message: str) -> None:
    assert old in PRODUCT
    module = module_of(PRODUCT.replace(old, new))
    with pytest.raises(RammerError, match=message):
        check_kernel(module, kernel_in(module), weights={"w": WEIGHT})


def test_words_that_nothing_has_written_are_waited_for_in_vain() -> None:
    text = SCALE[: SCALE.index("rtask.kernel")].replace('%x: memref<?xf32, "global">', '%x: memref<?xf32, "words">')
    body = body_of(text.replace('%x[%address] : memref<?xf32, "global">', '%x[%address] : memref<?xf32, "words">'))
    x, y = random(8), np.zeros(8, np.float32)
    run_body(body, [x, y], [8, 8], 0)
    np.testing.assert_array_equal(y, x * 2)
    x[5] = np.nan
    with pytest.raises(RammerError, match="waits for a word that nothing has written"):
        run_body(body, [x, y], [8, 8], 0)


PINNED = """
block.body @rows_block threads 4 {
^bb0(%task: index, %t: index, %w: memref<?xf32, "pinned">, %y: memref<?xf32, "global">, %n: index):
  %two = arith.constant 2 : index
  %first = arith.muli %task, %two : index
  block.parallel thread (%i) in %n {
    %v = memref.load %w[%i] : memref<?xf32, "pinned">
    %address = arith.addi %first, %i : index
    memref.store %v, %y[%address] : memref<?xf32, "global">
  }
  block.yield
}
rtask.kernel @rows grid [3] reads [#rtask.box<(p) -> (p * 2) by [2]>] writes [#rtask.box<(p) -> (p * 2) by [2]>] {
^bb0(%p: index, %w: tensor<6xf32>, %y: tensor<6xf32>):
  %r = rop.generic bounds [2] maps [affine_map<(d)[p] -> (p * 2 + d)>, affine_map<(d)[p] -> (p * 2 + d)>]
      ins(%w : tensor<6xf32>) into(%y : tensor<6xf32>) at(%p) {
  ^bb1(%a: f32):
    rop.yield %a : f32
  } -> tensor<6xf32>
  rtask.yield %r : tensor<6xf32>
} implementation @rows_block [2]
"""


def test_a_body_gets_of_a_pinned_weight_what_its_box_says() -> None:
    module = module_of(PINNED)
    check_kernel(module, kernel_in(module))
    wrong = module_of(PINNED.replace("load %w[%i]", "load %w[%n]"))
    with pytest.raises(RammerError, match=r"index \[2\] leaves an array of \[2\] in pinned memory"):
        check_kernel(wrong, kernel_in(wrong))
