"""What must hold for a program besides the order of its tasks: tasks complete, pins, buffers, outputs."""

from collections.abc import Iterator

import numpy as np
from xdsl.dialects.builtin import SymbolRefAttr
from xdsl.ir import SSAValue

from rammer_ir.dialects.rtask import BoxAttr
from rammer_ir.dialects.vdevice import ForOp, LaunchOp, PinOp, RunOp, enclosing_veus
from rammer_ir.errors import VerificationError
from rammer_ir.locations import describe_op
from rammer_ir.runtime.program_image import ALIGNMENT
from rammer_ir.scheduling.boxes import Integers
from rammer_ir.scheduling.budget import PIN_ALIGNMENT, aligned
from rammer_ir.scheduling.dependencies import find_unordered, happens_before
from rammer_ir.scheduling.lifetimes import lifetimes
from rammer_ir.scheduling.maps import evaluate, periodicity
from rammer_ir.scheduling.memory_plan import find_overlap
from rammer_ir.scheduling.program_form import (
    ProgramForm,
    ProgramMemory,
    RunForm,
    element_bytes,
    enclosing_loop,
    pin_of,
    shape_of,
)
from rammer_ir.scheduling.stages import Stage, accesses_of, stage_order, stages_of

Use = tuple[SymbolRefAttr, tuple[SSAValue, ...], ForOp | None]
"""One use of a kernel: runs that share kernel, operands and loop are parts of it."""


def check_tasks(form: ProgramForm) -> None:
    """Every use of a kernel runs each of its tasks equally often; raises VerificationError."""
    counts: dict[Use, Integers] = {}
    first_runs: dict[Use, RunForm] = {}
    for run in form.runs.values():
        use = run.op.kernel, (*run.op.inputs, *run.op.outputs, *run.op.at), enclosing_loop(run.op)
        first_runs.setdefault(use, run)
        counts.setdefault(use, np.zeros(run.kernel.tasks, np.int64))[run.op.first : run.op.last] += 1
    for use, times in counts.items():
        if times.min() != times.max():
            run, task = first_runs[use], int(times.argmin())
            coordinates = ", ".join(map(str, np.unravel_index(task, run.kernel.grid)))
            raise VerificationError(
                f"@{use[0].string_value()}[{coordinates}] runs {times[task]} times, other tasks {times.max()} times",
                location=describe_op(run.op),
            )


def check_accesses(form: ProgramForm) -> None:
    """
    Inputs and weights are not written, what is read was written before, and all outputs are written.

    Raises VerificationError.
    """
    written = set(form.op.input_arguments)
    for run in form.runs.values():
        kernel = f"@{run.op.kernel.string_value()}"
        for value, _, write in run.operands:
            if write and (value in form.op.input_arguments or value not in form.numbers):
                name = "a weight" if value not in form.numbers else _memory(form, value).name
                raise VerificationError(f"{kernel} writes {name}", location=describe_op(run.op))
            if not write and value in form.numbers and value not in written:
                raise VerificationError(
                    f"{kernel} reads {_memory(form, value).name}, which nothing before it writes",
                    location=describe_op(run.op),
                )
        written.update(run.op.outputs)
    for value in form.op.output_arguments:
        if value not in written:
            raise VerificationError(
                f"nothing writes the output {_memory(form, value).name}", location=describe_op(form.op)
            )


def _memory(form: ProgramForm, value: SSAValue) -> ProgramMemory:
    return form.memories[form.numbers[value]]


def check_arena(form: ProgramForm) -> None:
    """Every buffer lies in the arena, aligned, and shares bytes only with what is not in use meanwhile."""
    lives = lifetimes(form).of_buffers(form)
    buffers = [form.memories[number] for number in lives.memories]
    end = 0
    for memory in buffers:
        buffer = memory.buffer
        if buffer is None or buffer.offset is None:
            raise VerificationError(f"{memory.name} has no offset: run plan-memory", location=describe_op(form.op))
        if buffer.offset % ALIGNMENT:
            raise VerificationError(f"{memory.name} is not aligned to {ALIGNMENT} bytes", location=describe_op(buffer))
        end = max(end, buffer.offset + memory.memory.bytes)
    if end > (form.op.arena_bytes or 0):
        raise VerificationError(
            f"buffers take {end} bytes of an arena of {form.op.arena_bytes or 0}", location=describe_op(form.op)
        )
    offsets = np.array([memory.memory.address for memory in buffers], np.int64)
    sizes = np.array([memory.memory.bytes for memory in buffers], np.int64)
    parted = lives.parted_by_text()
    shared = find_overlap(offsets, sizes, ~(parted | parted.T))
    if shared is not None:
        one, other = (buffers[k].name for k in shared)
        raise VerificationError(f"{one} and {other} share bytes while both are in use", location=describe_op(form.op))


def check_launch_order(form: ProgramForm) -> None:
    """Launches that may run at the same time do not conflict in any memory; raises VerificationError."""
    stages = stages_of(form.op)
    order = happens_before(stage_order(stages))
    if order.sum() == len(stages) * (len(stages) - 1) // 2:
        return
    race = find_unordered([accesses_of(form, stage) for stage in stages], order)
    if race is not None:
        first, second = (_first_kernel(stages[number]) for number in race[:2])
        raise VerificationError(
            f"race on {form.memories[race[2]].name}: nothing orders the launch of @{first} and that of @{second}",
            location=describe_op(stages[race[1]]),
        )


def _first_kernel(stage: Stage) -> str:
    return next(op.kernel.string_value() for op in stage.walk() if isinstance(op, RunOp))


def pinned_bytes(launch: LaunchOp) -> int:
    """Shared memory that the pins of a launch take on the vEU that has most of them."""
    taken = np.zeros(launch.veus, np.int64)
    for pin in _pins(launch):
        first, last = enclosing_veus(pin)
        taken[first:last] += aligned(int(np.prod(pin.box.sizes)) * element_bytes(pin.result), PIN_ALIGNMENT)
    return int(taken.max())


def _pins(launch: LaunchOp) -> Iterator[PinOp]:
    return (op for op in launch.walk() if isinstance(op, PinOp))


def check_pins(form: ProgramForm) -> None:
    """
    Every task that reads a pinned weight has its box, and nothing else, on its vEU; raises VerificationError.

    Bodies find a box from the beginning of what is pinned, densely: a part of a larger box lies elsewhere.
    """
    for run in form.runs.values():
        for value, box, write in run.operands:
            pin = pin_of(value)
            if pin is None:
                continue
            if write:
                raise VerificationError("a pinned weight is not written", location=describe_op(run.op))
            _check_pin(run, box, pin)


def _check_pin(run: RunForm, box: BoxAttr, pin: PinOp) -> None:
    shape = shape_of(pin.weight)
    argument = run.kernel.read_arguments[list(run.op.inputs).index(pin.result)]
    if shape_of(argument) != shape:
        raise VerificationError(
            f"@{run.op.kernel.string_value()} takes {argument.type}, but what is pinned is a part of {pin.weight.type}",
            location=describe_op(run.op),
        )
    results = [periodicity(result) for result in box.origin.data.results]
    if any(result.drift for result in results):
        raise VerificationError("a pinned weight is not read in another place each time", location=describe_op(run.op))
    first, last = enclosing_veus(pin)
    numbers = run.veus - first
    has = evaluate(pin.box.origin.data, np.clip(numbers, 0, last - first - 1)[:, None])
    for t in range(max((result.period for result in results), default=1)):
        needs = evaluate(box.origin.data, run.points, [t] * box.origin.data.num_symbols)
        outside = np.any(needs != has, axis=1) | (numbers < 0) | (numbers >= last - first)
        outside |= box.sizes != pin.box.sizes
        if outside.any():
            raise VerificationError(f"{run.describe(int(outside.argmax()))} reads what is not pinned on its vEU")
