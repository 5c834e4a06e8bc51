"""Products of matrices by the lanes of a warp: ops of the `block` dialect for tensor cores."""

from xdsl.irdl import irdl_op_definition
from xdsl.utils.exceptions import VerifyException

from rammer_ir.dialects.block_structure import Level, ParallelOp
from rammer_ir.dialects.mma_operands import MmaOperands, Tf32Rounding
from rammer_ir.dialects.nesting import enclosing_op


@irdl_op_definition
class RoundTf32Op(Tf32Rounding):
    """
    The nearest tf32 number: a float32 of which 10 bits of the mantissa are kept; ties go away from zero.

    Example: `%factor = block.round_tf32 %x`
    """

    name = "block.round_tf32"


@irdl_op_definition
class MmaOp(MmaOperands):
    """
    Adds the product of two matrices, X[16, 8] and W[8, 8], to sums S[16, 8] that the lanes of a warp hold together.

    Iterations of the loop over threads, in which all come to this op, are lanes of warps by 32. Lane `4 * g + t` has
    `X[g, t], X[g + 8, t], X[g, t + 4], X[g + 8, t + 4]`, `W[t, g], W[t + 4, g]` and
    `S[g, 2 * t], S[g, 2 * t + 1], S[g + 8, 2 * t], S[g + 8, 2 * t + 1]`. Products are exact; factors of format `tf32`
    are float32 of which the lowest 13 bits are ignored, so they had best be rounded (`block.round_tf32`).

    Example: `%s0, %s1, %s2, %s3 = block.mma tf32 [%x0, %x1, %x2, %x3] [%w0, %w1] [%r0, %r1, %r2, %r3]`
    """

    name = "block.mma"

    def verify_(self) -> None:
        self.verify_operands()
        loop = enclosing_op(self, ParallelOp)
        if loop is not None and loop.level is not Level.THREAD:
            raise VerifyException("block.mma stands in a loop over threads: an iteration is a lane")
