"""What vEUs of a launch pass on while it runs becomes words."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects.builtin import Float32Type, MemRefType, ModuleOp, NoneAttr, StringAttr, SymbolRefAttr
from xdsl.ir import SSAValue
from xdsl.rewriter import InsertPoint, Rewriter

from rammer_ir.dialects.block import memref_type
from rammer_ir.dialects.nesting import enclosing_op
from rammer_ir.dialects.rtask import KernelOp
from rammer_ir.dialects.vdevice import BufferOp, GroupOp, LaunchOp, RunOp
from rammer_ir.pass_api import Pass
from rammer_ir.scheduling.loops import launch_cases
from rammer_ir.scheduling.program_form import ProgramForm, kernels_of, programs_of, read_program, space_of
from rammer_ir.scheduling.unroll import unroll
from rammer_ir.scheduling.words import find_words_fault
from rammer_ir.symbols import FreshSymbols


@dataclass(frozen=True)
class ExchangeWords(Pass):
    """
    Puts buffers of float32 that groups of a launch write once, and read after that in text order, into words.

    A word says itself that it was written: its readers need no other synchronisation. Kernels that have a body already
    stay with plain memory. A kernel whose runs have tensors in different memory spaces becomes one for each choice.
    """

    name = "exchange-words"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        kernels = kernels_of(op)
        for program in programs_of(op):
            form = read_program(op, program)
            for buffer in _written_once(form, list(_candidates(form, kernels))):
                _make_words(buffer)
        _separate_kernels(op, kernels)


def _users(buffer: BufferOp) -> list[RunOp]:
    return [use.operation for use in buffer.result.uses if isinstance(use.operation, RunOp)]


def _candidates(form: ProgramForm, kernels: Mapping[str, KernelOp]) -> Iterator[BufferOp]:
    """Buffers that groups of one launch alone use, by kernels without a body."""
    for memory in form.memories:
        if memory.buffer is None or memory.words:
            continue
        users = _users(memory.buffer)
        launches = {enclosing_op(run, LaunchOp) for run in users}
        are_grouped = all(enclosing_op(run, GroupOp) is not None for run in users)
        is_open = all(kernels[run.kernel.string_value()].implementation is None for run in users)
        is_float = isinstance(memref_type(memory.value).element_type, Float32Type)
        if len(launches) == 1 and are_grouped and is_open and is_float:
            yield memory.buffer


def _written_once(form: ProgramForm, candidates: Sequence[BufferOp]) -> Sequence[BufferOp]:
    """Those that are read, and hold to the rule for words."""
    chosen: list[BufferOp] = []
    by_launch: dict[LaunchOp, list[BufferOp]] = {}
    for buffer in candidates:
        launch = enclosing_op(_users(buffer)[0], LaunchOp)
        if launch is not None and any(buffer.result in run.inputs for run in _users(buffer)):
            by_launch.setdefault(launch, []).append(buffer)
    for launch, buffers in by_launch.items():
        for case in launch_cases(form, launch):
            schedule = unroll(form, launch, case.values, case.windows, case.open_lengths).schedule
            numbers = {buffer: form.numbers[buffer.result] for buffer in buffers}
            buffers = [buffer for buffer in buffers if find_words_fault(schedule, [numbers[buffer]]) is None]
        chosen += buffers
    return chosen


def _make_words(buffer: BufferOp) -> None:
    old = memref_type(buffer.result)
    new = BufferOp(MemRefType(old.element_type, old.get_shape(), NoneAttr(), StringAttr("words")))
    new.location = buffer.location
    new.result.name_hint = buffer.result.name_hint
    Rewriter.insert_op(new, InsertPoint.before(buffer))
    buffer.result.replace_all_uses_with(new.result)
    buffer.detach()
    buffer.erase()


def _separate_kernels(module: ModuleOp, kernels: Mapping[str, KernelOp]) -> None:
    """Gives runs of a kernel without a body whose memory spaces differ from those of its first run another kernel."""
    symbols = FreshSymbols(module)
    names: dict[tuple[str, tuple[str, ...]], str] = {}
    for run in [op for op in module.walk() if isinstance(op, RunOp)]:
        name = run.kernel.string_value()
        if kernels[name].implementation is not None:
            continue
        key = (name, tuple(_kind(value) for value in (*run.inputs, *run.outputs)))
        if key not in names:
            is_first = all(known != name for known, _ in names)
            names[key] = name if is_first else _clone(kernels[name], symbols)
        run.kernel = SymbolRefAttr(names[key])


def _kind(value: SSAValue) -> str:
    """The memory space of a memref, where arguments of the program lie in the same as buffers."""
    return space_of(value) or "global"


def _clone(kernel: KernelOp, symbols: FreshSymbols) -> str:
    clone = kernel.clone()
    clone.sym_name = StringAttr(symbols.new(kernel.sym_name.data))
    Rewriter.insert_op(clone, InsertPoint.after(kernel))
    return clone.sym_name.data
