"""Functions of bodies with serial loops as C++, which is compiled with `vdevice.hpp`."""

from collections.abc import Sequence
from typing import ClassVar, Final

from xdsl.dialects import scf, vector
from xdsl.dialects.builtin import Float32Type, Float64Type, StringAttr
from xdsl.ir import Attribute, Operation, SSAValue

from rammer_ir.dialects.block import MemorySpace
from rammer_ir.lowering.convert_block_to_scf import INDEPENDENT_ATTRIBUTE, REDUCTION_ATTRIBUTE
from rammer_ir.lowering.targets.c_helpers import COMMON_HELPERS
from rammer_ir.lowering.targets.c_language import Language
from rammer_ir.lowering.targets.c_printer import CPrinter
from rammer_ir.lowering.targets.c_types import is_half
from rammer_ir.lowering.targets.cpp_vectors import VECTOR_OPS, print_vector_op

# Selects, so that loops are vectorised. Of two zeros, the sign bits decide.
_EXTREMUM: Final = """\
{{inline}} {kind} rammer_{name}({kind} a, {kind} b) {{{{
  {bits} x, y;
  memcpy(&x, &a, sizeof a);
  memcpy(&y, &b, sizeof b);
  x = x {of_zeros} y;
  {kind} equal;
  memcpy(&equal, &x, sizeof equal);
  return a == b ? equal : a {symbol} b || a != a ? a : b;
}}}}"""


def _extremum(name: str, symbol: str, of_zeros: str) -> str:
    kinds = {"float": "uint32_t", "double": "uint64_t"}
    return "\n".join(
        _EXTREMUM.format(kind=kind, bits=bits, name=name, symbol=symbol, of_zeros=of_zeros)
        for kind, bits in kinds.items()
    )


_HELPERS: Final = {
    "maximum": _extremum("maximum", ">", "&"),
    "minimum": _extremum("minimum", "<", "|"),
    **COMMON_HELPERS,
}


_REDUCTIONS: Final = {"add": "+", "multiply": "*"}
"""Combiners that compilers know, and compute in vectors."""


class CppLanguage(Language):
    """C++14 with what `vdevice.hpp` includes."""

    inline: ClassVar[str] = "static inline"

    def helper_text(self, name: str) -> str:
        return _HELPERS[name].format(inline=self.inline)

    def special_float(self, bits: int, kind: Attribute) -> str:
        if isinstance(kind, Float32Type):
            return f"{self.helper('bits')}<float>({bits:#010x}u)"
        return f"{self.helper('bits')}<double>({bits:#018x}ull)"

    def reciprocal_square_root(self, operand: str, kind: Attribute) -> str:
        return f"(1.0 / sqrt({operand}))" if isinstance(kind, Float64Type) else f"(1.0f / sqrtf({operand}))"


class CppPrinter(CPrinter):
    """Prints a `func.func` that a body became."""

    def __init__(self) -> None:
        super().__init__(CppLanguage())

    def function_head(self, name: str) -> str:
        return f'extern "C" void {name}(rammer::Task* task)'

    def operand(self, kind: str, number: int, space: MemorySpace | None) -> str:
        return f"rammer::operand<{kind}>(task, {number})"

    def word_type(self) -> str:
        return "uint64_t"

    def scratch(self, kind: str, offset: int) -> str:
        return f"reinterpret_cast<{kind}*>(task->scratch + {offset})"

    def stored_array(self, op: Operation) -> SSAValue | None:
        return op.base if isinstance(op, vector.StoreOp) else super().stored_array(op)

    def print_op(self, op: Operation) -> None:
        if isinstance(op, VECTOR_OPS):
            print_vector_op(self, op)
        else:
            super().print_op(op)

    def loop_pragmas(self, loop: scf.ForOp) -> Sequence[str]:
        # Loops marked for unrolling stay loops: compilers vectorise them, and take minutes over them spelled out.
        if INDEPENDENT_ATTRIBUTE in loop.attributes:
            return ["GCC ivdep"]
        combiner = loop.attributes.get(REDUCTION_ATTRIBUTE)
        if any(is_half(result.type) for result in loop.res):
            return []
        if isinstance(combiner, StringAttr) and combiner.data in _REDUCTIONS and len(loop.res) == 1:
            return [f"omp simd reduction({_REDUCTIONS[combiner.data]}:{self.value(loop.res[0])})"]
        return []
