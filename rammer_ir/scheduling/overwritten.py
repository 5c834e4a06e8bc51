"""Destination passing in one memory: no tensor may be read after a later one has taken its place."""

from collections.abc import Iterator, Mapping, Sequence

from xdsl.ir import Block, Operation, OpResult, SSAValue

from rammer_ir.dialects.rop import ScanOp
from rammer_ir.dialects.rtask import KernelOp
from rammer_ir.errors import PassError
from rammer_ir.locations import describe_op
from rammer_ir.scheduling.boxes import Boxes
from rammer_ir.scheduling.dependencies import accesses_conflict
from rammer_ir.scheduling.dispatch_form import BlockForm, operands_of, read_block
from rammer_ir.scheduling.program_form import shape_of
from rammer_ir.scheduling.schedule import Access
from rammer_ir.scheduling.storage import storage_of


def check_not_overwritten(block: Block, kernels: Mapping[str, KernelOp]) -> None:
    """
    Checks that every tensor read in a block, and in scans inside, still has its contents when its memory is shared.

    What a block ends with counts as read at its end. Raises PassError at the reader.
    """
    _Check(read_block(block, kernels), kernels).run(block)


class _Check:
    def __init__(self, form: BlockForm, kernels: Mapping[str, KernelOp]) -> None:
        self.form = form
        self.kernels = kernels
        self.positions: dict[Operation, int] = {node: position for position, node in enumerate(form.nodes)}
        self.writers: dict[SSAValue, list[int]] = {}
        for position, node in enumerate(form.nodes):
            for result in node.results:
                self.writers.setdefault(storage_of(result), []).append(position)

    def run(self, block: Block) -> None:
        for position, node in enumerate(self.form.nodes):
            for value, accesses in self._reads(position):
                self._check(value, accesses, node, position)
            if isinstance(node, ScanOp):
                check_not_overwritten(node.body.block, self.kernels)
        if block.last_op is not None:
            for value in block.last_op.operands:
                self._check(value, None, block.last_op, len(self.form.nodes))

    def _reads(self, position: int) -> Iterator[tuple[SSAValue, Sequence[Access] | None]]:
        """The tensors that a node reads, each with the accesses, or None where it is read as a whole."""
        node = self.form.nodes[position]
        if isinstance(node, ScanOp):
            yield from ((value, None) for value in node.operands)
            return
        accesses, phases = self.form.accesses[position], self.form.period
        for k, (value, _, write) in enumerate(operands_of(node, self.kernels[node.kernel.string_value()])):
            if not write:
                yield value, accesses[k * phases : (k + 1) * phases]

    def _check(self, value: SSAValue, accesses: Sequence[Access] | None, reader: Operation, position: int) -> None:
        storage = storage_of(value)
        born = self.positions.get(value.owner, -1) if isinstance(value, OpResult) else -1
        for between in self.writers.get(storage, ()):
            if not born < between < position:
                continue
            for write in self.form.accesses[between]:
                if not write.write or write.memory // self.form.period != self.form.numbers[storage]:
                    continue
                wanted = (
                    [Access(write.memory, Boxes.whole(shape_of(value)), write=False)] if accesses is None else accesses
                )
                if any(accesses_conflict(write, access) for access in wanted):
                    node = self.form.nodes[between]
                    raise PassError(
                        f"a tensor is read after {describe_op(node) or node.name} has written over it in place: "
                        "it needs a copy",
                        location=describe_op(reader),
                    )
