"""From a program's text to the streams of its vEUs, for given run-time lengths."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np
from xdsl.dialects.arith import ConstantOp
from xdsl.dialects.builtin import IntegerAttr, ModuleOp
from xdsl.ir import Block, Operation, SSAValue
from xdsl.ir.affine import AffineMap
from xdsl.utils.symbol_table import SymbolTable

from rammer_ir.dialects import rtask, vdevice
from rammer_ir.errors import InvalidInputError, RammerError
from rammer_ir.interpreters.boxes import task_boxes
from rammer_ir.interpreters.element_types import Array, shape_of
from rammer_ir.interpreters.events import wait_rows
from rammer_ir.interpreters.interleaving.tasks import (
    Item,
    LaunchRun,
    Meeting,
    Operand,
    ProgramTasks,
    Task,
    box_slices,
)
from rammer_ir.interpreters.kernel_region import coordinates
from rammer_ir.interpreters.tensor_access import evaluate_map
from rammer_ir.interpreters.vdevice import placement
from rammer_ir.locations import describe_op


def program_tasks(module: ModuleOp, program: vdevice.ProgramOp, lengths: Mapping[str, int]) -> ProgramTasks:
    """
    The tasks of all launches of a program, with its run-time lengths by name.

    Raises InvalidInputError for a length that is missing, RammerError for a program that the interpreters cannot run.
    """
    names: dict[SSAValue, str] = dict(zip(program.body.block.args, program.names, strict=True))
    values: dict[SSAValue, int] = {}
    for value in program.length_arguments:
        if names[value] not in lengths:
            raise InvalidInputError(f"no number is given for the length {names[value]}")
        values[value] = int(lengths[names[value]])
    builder = _Builder(module, values)
    builder.program(program.body.block)
    return ProgramTasks(tuple(builder.launches), values)


class _Builder:
    def __init__(self, module: ModuleOp, values: dict[SSAValue, int]) -> None:
        self.launches: list[LaunchRun] = []
        self._symbols = SymbolTable(module)
        self._values = values
        self._tasks = 0
        self._streams: list[list[Item]] = []
        self._counters: dict[SSAValue, tuple[int, int]] = {}
        self._tokens: dict[SSAValue, int] = {}
        self._fence: frozenset[int] = frozenset()
        """The last launch without a token."""
        self._since: list[int] = []
        """Launches after it."""

    def program(self, block: Block) -> None:
        for op in block.ops:
            match op:
                case vdevice.LaunchOp():
                    self._launch(op)
                case vdevice.ForOp():
                    for iteration in self._iterations(op):
                        self._values[op.index] = iteration
                        self.program(op.body.block)
                case _:
                    self._constant(op)

    def _iterations(self, op: vdevice.ForOp) -> range:
        return range(self._values[op.length])

    def _constant(self, op: Operation) -> None:
        if isinstance(op, ConstantOp) and isinstance(op.value, IntegerAttr):
            self._values[op.result] = op.value.value.data

    def _launch(self, op: vdevice.LaunchOp) -> None:
        self._streams = [[] for _ in range(op.veus)]
        self._counters = {}
        self._block(op.body.block)
        number = len(self.launches)
        counters = sum(count for _, count in self._counters.values())
        streams = tuple(map(tuple, self._streams))
        self.launches.append(LaunchRun(number, streams, counters, self._predecessors(op, number)))

    def _predecessors(self, op: vdevice.LaunchOp, number: int) -> frozenset[int]:
        if op.token is None:
            before = self._fence.union(self._since)
            self._fence, self._since = frozenset({number}), []
            return before
        missing = [token for token in op.after if token not in self._tokens]
        if missing:
            raise RammerError("a launch comes after one that does not stand before it", location=describe_op(op))
        self._tokens[op.token] = number
        self._since.append(number)
        return self._fence.union(self._tokens[token] for token in op.after)

    def _block(self, block: Block) -> None:
        for op in block.ops:
            match op:
                case vdevice.RunOp():
                    self._run(op)
                case vdevice.BarrierOp():
                    first, last = vdevice.enclosing_veus(op)
                    for stream in self._streams[first:last]:
                        stream.append(Meeting(first, last))
                case vdevice.GroupOp():
                    self._block(op.body.block)
                case vdevice.ForOp():
                    for iteration in self._iterations(op):
                        self._values[op.index] = iteration
                        self._block(op.body.block)
                case vdevice.EventOp():
                    first = sum(count for _, count in self._counters.values())
                    self._counters[op.result] = first, op.result.type.counters
                case _:
                    self._constant(op)

    def _run(self, op: vdevice.RunOp) -> None:
        kernel = self._symbols.lookup(op.kernel.string_value())
        if not isinstance(kernel, rtask.KernelOp):
            raise RammerError(f"the module has no kernel {op.kernel}", location=describe_op(op))
        if op.last > kernel.tasks:
            raise RammerError(f"tasks [{op.first}, {op.last}) of a kernel of {kernel.tasks}", location=describe_op(op))
        tasks = np.arange(op.first, op.last)
        iteration = self._values[op.at[0]] if op.at else 0
        places = placement(op, tasks)
        reads = list(_operands(kernel, op.inputs, kernel.reads, kernel.read_arguments, iteration, tasks))
        writes = list(_operands(kernel, op.outputs, kernel.writes, kernel.written_arguments, iteration, tasks))
        waits, signals = list(self._waits(op, kernel, tasks)), list(self._signals(op, kernel, tasks))
        first = vdevice.enclosing_veus(op)[0]
        for position, index in enumerate(tasks.tolist()):
            veu = int(places[position])
            task = Task(
                self._tasks,
                op,
                kernel,
                index,
                iteration,
                veu + first,
                veu,
                tuple(column[position] for column in reads),
                tuple(column[position] for column in writes),
                tuple(pair for column in waits for pair in column[position]),
                tuple(column[position] for column in signals),
            )
            self._tasks += 1
            self._streams[task.veu].append(task)

    def _waits(self, op: vdevice.RunOp, kernel: rtask.KernelOp, tasks: Array) -> Iterator[list[list[tuple[int, int]]]]:
        for event, wait in zip(op.waits, op.wait_maps, strict=True):
            start, total = self._event(event, op)
            rows = wait_rows(wait, coordinates(kernel, tasks), self._symbols_of(op), tasks, op.first).tolist()
            column: list[list[tuple[int, int]]] = []
            for first, count, threshold in rows:
                if first < 0 or count < 0 or first + count > total:
                    raise RammerError(f"a wait for counters {first} to {first + count} of an event of {total}")
                column.append([(start + counter, threshold) for counter in range(first, first + count)])
            yield column

    def _signals(self, op: vdevice.RunOp, kernel: rtask.KernelOp, tasks: Array) -> Iterator[list[int]]:
        for event, signal in zip(op.signals, op.signal_maps, strict=True):
            start, total = self._event(event, op)
            (counters,) = self._evaluate(op, signal.data, kernel, tasks)
            if min(counters) < 0 or max(counters) >= total:
                raise RammerError(f"a signal to counter {max(counters)} of an event of {total}")
            yield [start + counter for counter in counters]

    def _event(self, event: SSAValue, op: vdevice.RunOp) -> tuple[int, int]:
        if event not in self._counters:
            raise RammerError("an event of another launch", location=describe_op(op))
        return self._counters[event]

    def _symbols_of(self, op: vdevice.RunOp) -> list[int]:
        return [self._values[value] for value in op.at]

    def _evaluate(
        self, op: vdevice.RunOp, index_map: AffineMap, kernel: rtask.KernelOp, tasks: Array
    ) -> list[list[int]]:
        results = evaluate_map(index_map, coordinates(kernel, tasks), self._symbols_of(op)[: index_map.num_symbols])
        return [np.broadcast_to(result, tasks.shape).tolist() for result in results]


def _operands(
    kernel: rtask.KernelOp,
    values: Sequence[SSAValue],
    boxes: Iterable[rtask.BoxAttr],
    arguments: Sequence[SSAValue],
    iteration: int,
    tasks: Array,
) -> Iterator[list[Operand]]:
    """For each memref, what each of the tasks touches of it."""
    for value, box, argument in zip(values, boxes, arguments, strict=True):
        clipped = task_boxes(kernel, box, shape_of(argument.type), iteration, tasks)
        origins = evaluate_map(box.origin.data, coordinates(kernel, tasks), [iteration] * kernel.loops)
        columns = [np.broadcast_to(origin, tasks.shape).tolist() for origin in origins]
        corners: list[tuple[int, ...]] = list(zip(*columns, strict=True)) if columns else [()] * len(tasks)
        yield [
            Operand(value, box_slices(low, high), corner, box.sizes)
            for low, high, corner in zip(clipped.lows.tolist(), clipped.highs.tolist(), corners, strict=True)
        ]
