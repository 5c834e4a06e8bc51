"""Combiners as arithmetic on scalars."""

from xdsl.dialects import arith
from xdsl.dialects.builtin import AnyFloat
from xdsl.ir import SSAValue

from rammer_ir.dialects.rop import Combiner
from rammer_ir.lowering.bodies.writer import Writer

FLOAT_OPS = {
    Combiner.ADD: arith.AddfOp,
    Combiner.MULTIPLY: arith.MulfOp,
    Combiner.MAXIMUM: arith.MaximumfOp,
    Combiner.MINIMUM: arith.MinimumfOp,
}
INTEGER_OPS = {
    Combiner.ADD: arith.AddiOp,
    Combiner.MULTIPLY: arith.MuliOp,
    Combiner.MAXIMUM: arith.MaxSIOp,
    Combiner.MINIMUM: arith.MinSIOp,
    Combiner.UNSIGNED_MAXIMUM: arith.MaxUIOp,
    Combiner.UNSIGNED_MINIMUM: arith.MinUIOp,
}


def combine(write: Writer, combiner: Combiner, left: SSAValue, right: SSAValue) -> SSAValue:
    """The combination of two values of the same type."""
    if isinstance(left.type, AnyFloat):
        return write.add(FLOAT_OPS[combiner](left, right)).result
    return write.add(INTEGER_OPS[combiner](left, right)).result
