"""Activations of recurrences by the functions of the hardware."""

from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects.arith import DivfOp, FastMathFlagsAttr
from xdsl.dialects.builtin import Float32Type, ModuleOp
from xdsl.dialects.math import ExpOp, TanhOp
from xdsl.dialects.utils.fast_math import FastMathFlag

from rammer_ir.dialects.rtask import KernelOp
from rammer_ir.pass_api import Pass

APPROXIMATE = FastMathFlagsAttr((FastMathFlag.APPROX_FUNC, FastMathFlag.ALLOW_RECIP))


@dataclass(frozen=True)
class ApproximateActivations(Pass):
    """
    Allows approximations (`fastmath<afn,arcp>`) of exponentials, hyperbolic tangents and quotients of float32 in steps
    of recurrences, which wait for them.

    On CUDA, a sigmoid or a tanh is then off by at most 4e-7, where results are between -1 and 1. Elsewhere nothing
    changes.
    """

    name = "approximate-activations"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        for kernel in op.ops:
            if isinstance(kernel, KernelOp) and kernel.is_of_recurrence:
                for found in kernel.walk():
                    if isinstance(found, ExpOp | TanhOp | DivfOp) and isinstance(found.result.type, Float32Type):
                        found.fastmath = APPROXIMATE
