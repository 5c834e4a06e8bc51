"""The check that passes keep what a module computes."""

from dataclasses import dataclass

import numpy as np
import pytest
from xdsl.context import Context
from xdsl.dialects import arith
from xdsl.dialects.builtin import ModuleOp
from xdsl.rewriter import Rewriter

from rammer_ir.interpreters.comparison import Tolerance
from rammer_ir.pass_api import Pass
from rammer_ir.testing.equivalence import CheckPass, check_pass

PROGRAM = """
rop.weight @w : tensor<4xf32> hash "0"
func.func @main(%n: index, %x: tensor<4xf32> {rop.name = "x"}) -> tensor<4xf32> {
  %w = rop.get_weight @w : tensor<4xf32>
  %r = rop.generic bounds [4] maps [affine_map<(d) -> (d)>, affine_map<(d) -> (d)>, affine_map<(d) -> (d)>]
      ins(%x, %w : tensor<4xf32>, tensor<4xf32>) {
  ^bb0(%p: f32, %q: f32):
    %s = arith.addf %p, %q : f32
    rop.yield %s : f32
  } -> tensor<4xf32>
  func.return %r : tensor<4xf32>
}
"""


@dataclass(frozen=True)
class SwapOperands(Pass):
    """Keeps sums what they are."""

    name = "swap-operands"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        for found in list(op.walk()):
            if isinstance(found, arith.AddfOp):
                Rewriter.replace_op(found, arith.AddfOp(found.rhs, found.lhs))


@dataclass(frozen=True)
class Subtract(Pass):
    """Makes sums differences."""

    name = "subtract"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        for found in list(op.walk()):
            if isinstance(found, arith.AddfOp):
                Rewriter.replace_op(found, arith.SubfOp(found.lhs, found.rhs))


def test_a_pass_that_keeps_the_results() -> None:
    after = check_pass(PROGRAM, SwapOperands(), inputs={0: np.asarray(1)})
    assert "%q, %p" in str(after)


def test_a_pass_that_changes_the_results() -> None:
    with pytest.raises(AssertionError, match="result 0 after the passes: 4 of 4 elements differ"):
        check_pass(PROGRAM, Subtract(), inputs={0: np.asarray(1)})


def test_given_arrays_are_used() -> None:
    nothing = np.zeros(4, np.float32)
    check_pass(PROGRAM, Subtract(), inputs={0: np.asarray(1)}, weights={"w": nothing})
    check_pass(PROGRAM, Subtract(), inputs={0: np.asarray(1), "x": nothing}, tolerance=Tolerance(absolute=100.0))


def test_indices_are_not_random() -> None:
    with pytest.raises(AssertionError, match="the test must give input 0"):
        check_pass(PROGRAM, SwapOperands())


def test_a_program_may_end_on_a_lower_level() -> None:
    after = """
    rtask.kernel @k grid [2] reads [#rtask.box<(i) -> (i * 2) by [2]>, #rtask.box<(i) -> (i * 2) by [2]>]
        writes [#rtask.box<(i) -> (i * 2) by [2]>] {
    ^bb0(%i: index, %x: tensor<4xf32>, %w: tensor<4xf32>, %y: tensor<4xf32>):
      %r = rop.generic bounds [2] maps [affine_map<(d)[i] -> (i * 2 + d)>, affine_map<(d)[i] -> (i * 2 + d)>,
          affine_map<(d)[i] -> (i * 2 + d)>] ins(%x, %w : tensor<4xf32>, tensor<4xf32>) into(%y : tensor<4xf32>)
          at(%i) {
      ^bb1(%p: f32, %q: f32):
        %s = arith.addf %p, %q : f32
        rop.yield %s : f32
      } -> tensor<4xf32>
      rtask.yield %r : tensor<4xf32>
    }
    vdevice.device @host kind "host" veus 1 threads 1 shared 0 registers 0
    vdevice.program @main on @host inputs 1 names ["x", "y", "n"] {
    ^bb0(%x: memref<4xf32>, %y: memref<4xf32>, %n: index):
      %w = vdevice.weight @w : memref<4xf32, "weights">
      vdevice.launch veus 1 threads 1 service 0 ring 0 x 0 scratch 0 pinned 0 registers 0 {
        vdevice.run @k tasks [0, 2] place affine_map<(i) -> (0)> ins(%x, %w : memref<4xf32>, memref<4xf32, "weights">)
            outs(%y : memref<4xf32>)
      }
    }
    """

    @dataclass(frozen=True)
    class Lower(Pass):
        name = "lower"

        def apply(self, ctx: Context, op: ModuleOp) -> None:
            from rammer_ir.parsing import parse_module

            main = op.body.block.last_op
            assert main is not None
            Rewriter.erase_op(main)
            lowered = parse_module(ctx, after)
            for moved in list(lowered.ops):
                moved.detach()
                op.body.block.add_op(moved)

    check_pass(PROGRAM, Lower(), inputs={0: np.asarray(1)})


def test_the_fixture(check_pass: CheckPass) -> None:
    check_pass(PROGRAM, SwapOperands(), inputs={0: np.asarray(1)})
