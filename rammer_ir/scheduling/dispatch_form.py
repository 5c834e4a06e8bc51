"""What the ops of a block of dispatches access, as arrays: nodes of a dependency graph."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from xdsl.dialects.builtin import TensorType
from xdsl.ir import Block, SSAValue

from rammer_ir.dialects.rop import ScanOp
from rammer_ir.dialects.rtask import BoxAttr, DispatchOp, KernelOp
from rammer_ir.errors import PassError
from rammer_ir.locations import describe_op
from rammer_ir.scheduling.boxes import Boxes
from rammer_ir.scheduling.maps import evaluate, grid_points
from rammer_ir.scheduling.periodic import PeriodicAccess, common_period, drifts_by_memory
from rammer_ir.scheduling.program_form import shape_of
from rammer_ir.scheduling.schedule import Access
from rammer_ir.scheduling.storage import storage_of

Node = DispatchOp | ScanOp


def kernel_of(dispatch: DispatchOp, kernels: Mapping[str, KernelOp]) -> KernelOp:
    """The kernel that a dispatch uses; raises PassError if there is none, or it takes other operands."""
    name = dispatch.kernel.string_value()
    kernel = kernels.get(name)
    if kernel is None:
        raise PassError(f"there is no kernel @{name}", location=describe_op(dispatch))
    given = [value.type for value in (*dispatch.inputs, *dispatch.into)]
    wanted = [value.type for value in (*kernel.read_arguments, *kernel.written_arguments)]
    if given != wanted or len(dispatch.at) != kernel.loops:
        raise PassError(f"a dispatch of @{name} with operands of other types", location=describe_op(dispatch))
    return kernel


def operands_of(dispatch: DispatchOp, kernel: KernelOp) -> Iterator[tuple[SSAValue, BoxAttr, bool]]:
    """Every tensor of a dispatch with its box, and whether it is written."""
    for value, box in zip(dispatch.inputs, kernel.reads, strict=True):
        yield value, box, False
    for value, box in zip(dispatch.into, kernel.writes, strict=True):
        yield value, box, True


@dataclass(frozen=True)
class BlockForm:
    """
    The dispatches and scans of a block in text order, each with what it accesses; a scan accesses whole tensors.

    Loop indices are the same for the whole block. Boxes are given for each phase of their period, as boxes of a memory
    of its own: accesses conflict if they do at some phase. Storage `s` at a phase is memory
    `numbers[s] * period + phase`.
    """

    nodes: Sequence[Node]
    accesses: Sequence[Sequence[Access]]
    numbers: Mapping[SSAValue, int]
    period: int


def read_block(block: Block, kernels: Mapping[str, KernelOp]) -> BlockForm:
    """The dispatches and scans of a block; raises PassError as `kernel_of` does."""
    nodes = [op for op in block.ops if isinstance(op, DispatchOp | ScanOp)]
    numbers: dict[SSAValue, int] = {}
    for node in nodes:
        for value in (*node.operands, *node.results):
            numbers.setdefault(storage_of(value), len(numbers))
    boxes = [
        PeriodicAccess(numbers[storage_of(value)], box, grid_points(kernel.grid, 0, kernel.tasks))
        for node in nodes
        if isinstance(node, DispatchOp)
        for kernel in [kernel_of(node, kernels)]
        for value, box, _ in operands_of(node, kernel)
    ]
    period = common_period(boxes)
    drifts = drifts_by_memory(boxes, period)
    if len({node.at[0] for node in nodes if isinstance(node, DispatchOp) and node.at}) > 1:
        drifts = {memory: tuple(None if drift else 0 for drift in shifts) for memory, shifts in drifts.items()}
    reader = _Reader(kernels, numbers, period, drifts)
    return BlockForm(nodes, [list(reader.accesses(node)) for node in nodes], numbers, period)


@dataclass(frozen=True)
class _Reader:
    kernels: Mapping[str, KernelOp]
    numbers: Mapping[SSAValue, int]
    period: int
    drifts: Mapping[int, Sequence[int | None]]

    def accesses(self, node: Node) -> Iterator[Access]:
        if isinstance(node, DispatchOp):
            yield from self._of_dispatch(node)
            return
        for value in (*node.scanned, *node.captured):
            if isinstance(value.type, TensorType):
                yield from self._whole(value, write=False)
        for value in node.res:
            yield from self._whole(value, write=True)

    def _whole(self, value: SSAValue, *, write: bool) -> Iterator[Access]:
        shape = shape_of(value)
        boxes = Boxes.whole(shape)
        for phase in range(self.period):
            yield Access(self.numbers[storage_of(value)] * self.period + phase, boxes, write)

    def _of_dispatch(self, dispatch: DispatchOp) -> Iterator[Access]:
        kernel = kernel_of(dispatch, self.kernels)
        points = grid_points(kernel.grid, 0, kernel.tasks)
        for value, box, write in operands_of(dispatch, kernel):
            memory = self.numbers[storage_of(value)]
            for phase in range(self.period):
                origins = evaluate(box.origin.data, points, (phase,) * kernel.loops)
                boxes = _without_edges(Boxes(origins, origins + box.sizes), self.drifts[memory], shape_of(value))
                yield Access(memory * self.period + phase, boxes, write)


def _without_edges(boxes: Boxes, drifts: Sequence[int | None], shape: Sequence[int]) -> Boxes:
    """The boxes, cut off at their tensor's edges where they stay, and as wide as it where they go different ways."""
    low, high = boxes.low.copy(), boxes.high.copy()
    for dim, drift in enumerate(drifts):
        if drift is None:
            low[:, dim], high[:, dim] = 0, shape[dim]
        elif drift == 0:
            low[:, dim] = low[:, dim].clip(min=0)
            high[:, dim] = high[:, dim].clip(max=shape[dim])
    return Boxes(low, high)
