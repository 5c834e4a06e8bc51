"""Whether what tasks read has been written before them in text order, element by element."""

from collections.abc import Iterable, Sequence

import numpy as np
from xdsl.ir import SSAValue

from rammer_ir.dialects.rtask import BoxAttr
from rammer_ir.dialects.vdevice import ForOp
from rammer_ir.errors import VerificationError
from rammer_ir.locations import describe_op
from rammer_ir.scheduling.boxes import Boxes, concatenate, covered_volumes
from rammer_ir.scheduling.loops import WHOLE_LOOP_TASKS, runs_in
from rammer_ir.scheduling.program_form import (
    ProgramForm,
    RunForm,
    constant_value,
    enclosing_loop,
    shape_of,
    task_boxes,
)
from rammer_ir.scheduling.stages import wherever


def check_written(form: ProgramForm) -> None:
    """
    Every element in a box that is read was written: before in the text, in the loop around, or by the run itself.

    A step of a recurrence may have in its box a row that it is about to write. Raises VerificationError.
    """
    written: dict[int, list[Boxes]] = {}
    loop: ForOp | None = None
    for run in form.runs.values():
        around = enclosing_loop(run.op)
        if around is not None and around is not loop:
            _note(form, runs_in(form, around), written)
        loop = around
        if around is None:
            own: dict[int, list[Boxes]] = {}
            _note(form, [run], own)
            _check(form, run, written, own)
            for memory, boxes in own.items():
                written.setdefault(memory, []).extend(boxes)
        else:
            _check(form, run, written, {})


def _note(form: ProgramForm, runs: Iterable[RunForm], written: dict[int, list[Boxes]]) -> None:
    """Adds what runs write in all of their iterations."""
    for run in runs:
        for value, box, write in run.operands:
            if write:
                written.setdefault(form.numbers[value], []).append(_boxes(run, value, box))


def _check(form: ProgramForm, run: RunForm, written: dict[int, list[Boxes]], own: dict[int, list[Boxes]]) -> None:
    for value, box, write in run.operands:
        if write or value not in form.numbers or value in form.op.input_arguments:
            continue
        number = form.numbers[value]
        if form.memories[number].words:
            # Reading them waits until they are written: the proof of the launch says whether they are.
            continue
        given = [*written.get(number, ()), *own.get(number, ())]
        wanted = _first_boxes(run, value, box)
        missing = wanted.volumes() - _covered(wanted, given)
        if (missing > 0).any():
            task = int(np.argmax(missing > 0))
            raise VerificationError(
                f"{run.describe(task)} reads {form.memories[number].name}, of which nothing before it writes "
                f"{int(missing[task])} elements",
                location=describe_op(run.op),
            )


def _covered(wanted: Boxes, given: Sequence[Boxes]) -> "np.ndarray[tuple[int, ...], np.dtype[np.int64]]":
    """How many elements of each wanted box the given ones hold at least; shape [n]."""
    if not given:
        return np.zeros(len(wanted), np.int64)
    different, kind = _different(wanted)
    known, _ = _different(concatenate(given))
    volumes = covered_volumes(different, known, np.ones(len(different), np.int64), np.zeros(len(known), np.int64))
    return volumes[kind]


def _different(boxes: Boxes) -> "tuple[Boxes, np.ndarray[tuple[int, ...], np.dtype[np.int64]]]":
    """The boxes without repetitions, and the number there of each box."""
    if boxes.rank == 0:
        return boxes.take(np.arange(min(len(boxes), 1))), np.zeros(len(boxes), np.int64)
    rows, kind = np.unique(np.concatenate([boxes.low, boxes.high], axis=1), axis=0, return_inverse=True)
    return Boxes(rows[:, : boxes.rank], rows[:, boxes.rank :]), kind.reshape(-1)


def _boxes(run: RunForm, value: SSAValue, box: BoxAttr) -> Boxes:
    """What a run touches in all iterations of the loop around it."""
    shape = shape_of(value)
    iterations = _iterations(run)
    if iterations is not None:
        return concatenate([task_boxes(box, run.points, symbols, shape) for symbols in iterations])
    return wherever(_first_boxes(run, value, box), box.origin.data.results, shape)


def _first_boxes(run: RunForm, value: SSAValue, box: BoxAttr) -> Boxes:
    """What the tasks of a run touch, in the first iteration of the loop around it."""
    constants = [constant_value(index) for index in run.op.at]
    return task_boxes(box, run.points, [0 if index is None else index for index in constants], shape_of(value))


def _iterations(run: RunForm) -> list[list[int]] | None:
    """The loop indices of a run's tasks, iteration by iteration; None where there are too many, or nobody knows."""
    constants = [constant_value(index) for index in run.op.at]
    known = [index for index in constants if index is not None]
    if len(known) == len(constants):
        return [known]
    loop = enclosing_loop(run.op)
    length = None if loop is None else constant_value(loop.length)
    if length is None or length * len(run.veus) > WHOLE_LOOP_TASKS:
        return None
    return [[t] for t in range(length)]
