"""Functions of the `cuda` dialect as CUDA C, which includes nothing and is compiled with `vdevice.cuh`."""

from collections.abc import Sequence
from typing import ClassVar, Final

from xdsl.dialects import scf
from xdsl.dialects.builtin import Float32Type, Float64Type
from xdsl.ir import Attribute, Operation, SSAValue

from rammer_ir.dialects import cuda
from rammer_ir.dialects.block import MemorySpace, memory_space, memref_type
from rammer_ir.lowering.from_block.structure import refuse
from rammer_ir.lowering.targets.c_addresses import place
from rammer_ir.lowering.targets.c_helpers import COMMON_HELPERS
from rammer_ir.lowering.targets.c_language import Language
from rammer_ir.lowering.targets.c_memory import index_text
from rammer_ir.lowering.targets.c_printer import CPrinter
from rammer_ir.lowering.targets.c_text import bare
from rammer_ir.lowering.targets.c_types import c_type
from rammer_ir.lowering.targets.unrolling import unrolling

# max.NaN and min.NaN exist for 32 bits only, from sm_80 on.
_EXTREMUM: Final = """\
{{inline}} float rammer_{name}(float a, float b) {{{{
  float result;
  asm("{word}.NaN.f32 %0, %1, %2;" : "=f"(result) : "f"(a), "f"(b));
  return result;
}}}}
{{inline}} double rammer_{name}(double a, double b) {{{{
  return a != a || b != b ? a + b : f{word}(a, b);
}}}}"""
_HELPERS: Final = {
    "maximum": _EXTREMUM.format(name="maximum", word="max"),
    "minimum": _EXTREMUM.format(name="minimum", word="min"),
    "approximate_tanh": """\
{inline} float rammer_approximate_tanh(float x) {{
  return 1.0f - __fdividef(2.0f, 1.0f + __expf(2.0f * x));
}}""",
    **COMMON_HELPERS,
}

_VECTORS: Final = {
    "float": "float",
    "double": "double",
    "int": "int",
    "long long": "longlong",
    "short": "short",
    "signed char": "char",
    "unsigned int": "uint",
    "unsigned long long": "ulonglong",
    "unsigned short": "ushort",
    "unsigned char": "uchar",
}
"""Element type to the stem of its vectors' names."""

_STATEMENTS: Final[dict[type[Operation], str]] = {
    cuda.BarrierOp: "rammer::barrier();",
    cuda.WarpBarrierOp: "__syncwarp();",
    cuda.CommitCopiesOp: "rammer::commit_copies();",
}
_INDICES: Final[dict[type[Operation], str]] = {
    cuda.ThreadIndexOp: "rammer::thread()",
    cuda.WarpIndexOp: f"rammer::thread() / {cuda.WARP_THREADS}",
    cuda.LaneIndexOp: f"rammer::thread() % {cuda.WARP_THREADS}",
}

_COMPONENTS: Final = "xyzw"


class CudaLanguage(Language):
    """CUDA C++17 without headers."""

    inline: ClassVar[str] = "static __device__ __forceinline__"

    def helper_text(self, name: str) -> str:
        return _HELPERS[name].format(inline=self.inline)

    def small_quotient(self, lhs: str, rhs: str) -> str:
        return f"rammer::quotient({bare(lhs)}, {bare(rhs)})"

    def special_float(self, bits: int, kind: Attribute) -> str:
        if isinstance(kind, Float32Type):
            return f"__int_as_float({bits:#010x})"
        return f"__longlong_as_double({bits:#018x}LL)"

    def reciprocal_square_root(self, operand: str, kind: Attribute) -> str:
        return f"rsqrt{'' if isinstance(kind, Float64Type) else 'f'}({operand})"

    def approximate(self, function: str, operands: Sequence[str]) -> str | None:
        arguments = ", ".join(bare(operand) for operand in operands)
        if function == "tanh":
            return f"{self.helper('approximate_tanh')}({arguments})"
        return f"{'__fdividef' if function == 'div' else '__expf'}({arguments})"


class CudaPrinter(CPrinter):
    """Prints a `cuda.func`."""

    computing_ops: ClassVar[tuple[type[Operation], ...]] = (cuda.ThreadIndexOp, cuda.WarpIndexOp, cuda.LaneIndexOp)

    def __init__(self) -> None:
        super().__init__(CudaLanguage())

    def function_head(self, name: str) -> str:
        return f'extern "C" __device__ void {name}(rammer::Task* task)'

    def operand(self, kind: str, number: int, space: MemorySpace | None) -> str:
        function = "pinned" if space is MemorySpace.PINNED else "operand"
        return f"rammer::{function}<{kind}>(task, {number})"

    def word_type(self) -> str:
        return "rammer::Word"

    def scratch(self, kind: str, offset: int) -> str:
        return f"rammer::scratch<{kind}>(task, {offset})"

    def loop_pragmas(self, loop: scf.ForOp) -> Sequence[str]:
        factor = unrolling(loop)
        if factor is None:
            return ()
        return ("unroll",) if factor == 0 else (f"unroll {factor}",)

    def stored_array(self, op: Operation) -> SSAValue | None:
        if isinstance(op, cuda.CopyOp | cuda.CopyAsyncOp):
            return op.target
        return super().stored_array(op)

    def print_op(self, op: Operation) -> None:
        if type(op) in _STATEMENTS:
            self.line(_STATEMENTS[type(op)])
            return
        match op:
            case cuda.ThreadIndexOp() | cuda.WarpIndexOp() | cuda.LaneIndexOp():
                self.print_definition(op.result, _INDICES[type(op)])
            case cuda.ShuffleOp():
                text = f"__shfl_xor_sync(0xffffffffu, {self.value(op.value)}, {op.lane_mask})"
                self.print_definition(op.result, text)
            case cuda.RoundTf32Op():
                self.print_definition(op.result, f"rammer::round_tf32({bare(self.value(op.value))})")
            case cuda.MmaOp():
                self._print_mma(op)
            case cuda.CopyOp():
                self._print_copy(op)
            case cuda.CopyAsyncOp():
                self._print_async_copy(op)
            case cuda.WaitCopiesOp():
                self.line(f"rammer::wait_copies<{op.pending}>();")
            case cuda.ReturnOp():
                pass
            case _:
                super().print_op(op)

    def _print_async_copy(self, op: cuda.CopyAsyncOp) -> None:
        target = place(self.value(op.target), index_text(self, op.target, op.target_indices))
        source = place(self.value(op.source), index_text(self, op.source, op.source_indices))
        predicate = "true" if op.predicate is None else bare(self.value(op.predicate))
        self.line(f"rammer::copy_async<{op.size}>({target}, {source}, {predicate});")

    def _print_mma(self, op: cuda.MmaOp) -> None:
        """The sums are copied to new variables, which the instruction changes."""
        names: list[str] = []
        for value, result in zip(op.sums, op.results_, strict=True):
            text = bare(self.value(value))
            names.append(self.define(result, "sum"))
            self.line(f"float {names[-1]} = {text};")
        factors = [bare(self.value(value)) for value in (*op.x, *op.w)]
        self.line(f"rammer::mma_{op.factors.value}({', '.join([*names, *factors])});")

    def _print_copy(self, op: cuda.CopyOp) -> None:
        """One load of a vector, and one store; the elements of per-thread arrays are in registers."""
        kind = c_type(memref_type(op.source).element_type)
        if kind not in _VECTORS:
            refuse(op, f"elements of type {memref_type(op.source).element_type} are not copied several at once")
        vector = f"{_VECTORS[kind]}{op.elements}"
        name = self.new_name("piece", "piece")
        self.line(f"const {vector} {name} = {self._loaded(op, vector)};")
        pointer = self.value(op.target)
        index = index_text(self, op.target, op.target_indices)
        match memory_space(op.target):
            case MemorySpace.THREAD:
                for component, element in zip(_COMPONENTS, _following(index, op.elements), strict=False):
                    self.line(f"{pointer}[{element}] = {name}.{component};")
            case MemorySpace.SHARED | MemorySpace.GLOBAL:
                self.line(f"*reinterpret_cast<{vector}*>({place(pointer, index)}) = {name};")
            case _:
                refuse(op, f"{op.target.type} is not written by kernel bodies")

    def _loaded(self, op: cuda.CopyOp, vector: str) -> str:
        array = self.value(op.source)
        index = index_text(self, op.source, op.source_indices)
        pointer = f"reinterpret_cast<const {vector}*>({place(array, index)})"
        match memory_space(op.source):
            case MemorySpace.GLOBAL:
                return f"rammer::load({pointer})"
            case MemorySpace.WEIGHTS:
                return f"rammer::load_weight({pointer})"
            case MemorySpace.SHARED | MemorySpace.PINNED:
                return f"*{pointer}"
            case MemorySpace.THREAD:
                elements = ", ".join(f"{array}[{element}]" for element in _following(index, op.elements))
                return f"make_{vector}({elements})"
            case _:
                refuse(op, f"{op.source.type} is not read several elements at once")


def _following(index: str, count: int) -> list[str]:
    """The indices of elements that follow each other."""
    if index.isdecimal():
        return [str(int(index) + element) for element in range(count)]
    return [index, *(f"{index} + {element}" for element in range(1, count))]
