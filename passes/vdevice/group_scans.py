"""Recurrences get launches of their own, in which each has a group of vEUs."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

from xdsl.context import Context
from xdsl.dialects.builtin import AffineMapAttr, ModuleOp
from xdsl.ir import Block, Operation, Region, SSAValue
from xdsl.ir.affine import AffineMap
from xdsl.rewriter import InsertPoint

from rammer_ir.dialects.rtask import KernelOp
from rammer_ir.dialects.vdevice import BufferOp, DeviceOp, ForOp, GroupOp, LaunchOp, RunOp
from rammer_ir.locations import builder_at, location_of
from rammer_ir.pass_api import Pass
from rammer_ir.scheduling.budget import registers_per_thread
from rammer_ir.scheduling.program_form import device_of, kernels_of, programs_of


@dataclass(frozen=True)
class GroupScans(Pass):
    """
    Takes loops around one run of a kernel with a tiling of the kind `recurrence` out of their launch.

    They come into a launch without a service role, each in a group with a vEU for each task, after the runs that give
    their states before the first step: loops that pass each other rows side by side, on vEUs of their own. Where a
    loop needs what else is computed in between, it comes into a later launch. All else stays in launches like the one
    it was in, before and behind. Other launches are left as they are.
    """

    name = "group-scans"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        kernels = kernels_of(op)
        for program in programs_of(op):
            device = device_of(op, program.device.string_value())
            for launch in [found for found in program.body.block.ops if isinstance(found, LaunchOp)]:
                nodes = list(launch.body.block.ops)
                if any(_is_recurrence(node, kernels) for node in nodes):
                    _regroup(launch, nodes, kernels, device)


def _runs(op: Operation) -> Iterator[RunOp]:
    yield from (found for found in op.walk() if isinstance(found, RunOp))


def _kernel(run: RunOp, kernels: Mapping[str, KernelOp]) -> KernelOp:
    return kernels[run.kernel.string_value()]


def _is_recurrence(op: Operation, kernels: Mapping[str, KernelOp]) -> bool:
    """Whether an op is a step of a recurrence, repeated."""
    return isinstance(op, ForOp) and len(runs := list(_runs(op))) == 1 and _kernel(runs[0], kernels).is_of_recurrence


def _memory(ops: Sequence[Operation], *, written: bool) -> set[SSAValue]:
    return {value for op in ops for run in _runs(op) for value in (run.outputs if written else run.inputs)}


@dataclass(frozen=True)
class _Recurrence:
    """A loop, and the runs that give its states before the first step."""

    loop: ForOp
    initial: Sequence[RunOp]

    @property
    def ops(self) -> Sequence[Operation]:
        return [*self.initial, self.loop]

    @property
    def step(self) -> RunOp:
        (run,) = _runs(self.loop)
        return run


@dataclass
class _Segment:
    """What comes into one launch of recurrences, and what comes before it and behind it."""

    before: list[Operation] = field(default_factory=list[Operation])
    recurrences: list[_Recurrence] = field(default_factory=list[_Recurrence])
    behind: list[Operation] = field(default_factory=list[Operation])

    @property
    def grouped(self) -> list[Operation]:
        return [op for recurrence in self.recurrences for op in recurrence.ops]

    @property
    def veus(self) -> int:
        return sum(recurrence.step.last for recurrence in self.recurrences)


def _depends(op: Operation, ops: Sequence[Operation], passed_on: AbstractSet[SSAValue] = frozenset()) -> bool:
    """Whether an op depends on one of the others, but for memory that recurrences pass on row by row."""
    written, read = _memory(ops, written=True) - passed_on, _memory(ops, written=False) - passed_on
    return bool(_memory([op], written=True) & (written | read) or _memory([op], written=False) & written)


def _passed_on(recurrences: Iterable[_Recurrence]) -> AbstractSet[SSAValue]:
    """Buffers that recurrences alone use."""
    ops = [op for recurrence in recurrences for op in recurrence.ops]
    runs = {run for op in ops for run in _runs(op)}
    return {
        value
        for value in _memory(ops, written=True)
        if isinstance(value.owner, BufferOp) and {use.operation for use in value.uses} <= runs
    }


def _recurrences(nodes: Sequence[Operation], kernels: Mapping[str, KernelOp]) -> dict[Operation, _Recurrence]:
    """By loop."""
    found: dict[Operation, _Recurrence] = {}
    initial = [op for op in nodes if isinstance(op, RunOp) and _kernel(op, kernels).is_of_recurrence]
    for loop in nodes:
        if isinstance(loop, ForOp) and _is_recurrence(loop, kernels):
            states = _memory([loop], written=True)
            found[loop] = _Recurrence(loop, [run for run in initial if _memory([run], written=True) & states])
    return found


def _segments(nodes: Sequence[Operation], recurrences: Mapping[Operation, _Recurrence], veus: int) -> list[_Segment]:
    """The launches that all is put into, in their order. What gives a loop its states comes where the loop is."""
    passed_on = _passed_on(recurrences.values())
    initial = {run for recurrence in recurrences.values() for run in recurrence.initial}
    segments = [_Segment()]
    for op in nodes:
        segment = segments[-1]
        recurrence = recurrences.get(op)
        if recurrence is None:
            if op not in initial:
                depends = _depends(op, [*segment.grouped, *segment.behind])
                (segment.behind if depends else segment.before).append(op)
            continue
        is_late = any(
            _depends(part, segment.behind) or _depends(part, segment.grouped, passed_on) for part in recurrence.ops
        )
        if is_late or segment.veus + recurrence.step.last > veus:
            segments.append(_Segment())
        segments[-1].recurrences.append(recurrence)
    return segments


def _regroup(launch: LaunchOp, nodes: Sequence[Operation], kernels: Mapping[str, KernelOp], device: DeviceOp) -> None:
    segments = _segments(nodes, _recurrences(nodes, kernels), device.veus)
    for op in nodes:
        op.detach()
    builder = builder_at(InsertPoint.before(launch), location_of(launch))
    for segment in segments:
        if segment.before:
            builder.insert(launch.with_same_budget(Region(Block(segment.before))))
        if segment.recurrences:
            builder.insert(_grouped_launch(segment.recurrences, kernels, device))
        if segment.behind:
            builder.insert(launch.with_same_budget(Region(Block(segment.behind))))
    launch.detach()
    launch.erase()


def _grouped_launch(recurrences: Sequence[_Recurrence], kernels: Mapping[str, KernelOp], device: DeviceOp) -> LaunchOp:
    """A launch with a group for each recurrence."""
    body = Block()
    first, threads = 0, 1
    for recurrence in recurrences:
        step = recurrence.step
        tiling = _kernel(step, kernels).tiling
        assert tiling is not None
        threads = tiling.threads
        for run in (*recurrence.initial, step):
            run.place = AffineMapAttr(AffineMap.identity(1))
        group = GroupOp(first, first + step.last, Region(Block(recurrence.ops)))
        group.location = recurrence.loop.location
        body.add_op(group)
        first = group.last
    registers = registers_per_thread(device.registers, threads) if device.kind.data == "cuda" else 0
    return LaunchOp(Region(body), veus=first, threads=threads, registers=registers)
