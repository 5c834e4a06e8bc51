"""Runs of a kernel as instructions: waits, tasks and signals on the vEUs they are placed on."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from xdsl.dialects.builtin import AffineMapAttr
from xdsl.ir import SSAValue
from xdsl.ir.affine import AffineExpr

from rammer_ir.dialects.vdevice import EventMap, EventType, RunOp, enclosing_veus
from rammer_ir.errors import CompileError
from rammer_ir.lowering.emission.evaluation import (
    check_linear_in_symbol,
    depends_on_symbol,
    evaluate,
    placement,
    task_coordinates,
)
from rammer_ir.lowering.emission.tables import IntArray, Rows, instruction_rows
from rammer_ir.runtime.program_image import INSTRUCTION_WORDS, Opcode
from rammer_ir.scheduling.maps import table_rows
from rammer_ir.scheduling.program_form import constant_value

NumberOfEvent = Callable[[SSAValue], tuple[int, int]]
"""Gives an event's number in the program and its first counter."""


@dataclass(frozen=True)
class _Column:
    """One instruction for each task of a run, where `needed`."""

    rows: Rows
    needed: NDArray[np.bool_]


def run_rows(run: RunOp, grid: Sequence[int], body: int, descriptor: int, events: NumberOfEvent, scope: int) -> Rows:
    """
    The instructions of a run of `body` with `descriptor`, by task; raises CompileError for what has no such form.

    The kernel's `grid` gives tasks their coordinates. Outside of loops a run may have a constant as its loop index.
    """
    constant = constant_value(run.at[0]) if run.at else None
    tasks = np.arange(run.first, run.last)
    veus = _veus(run)
    coordinates = task_coordinates(run.first, run.last, grid)
    always = np.ones(len(tasks), np.bool_)
    waits = [
        _wait(event, wait_map, constant, coordinates, veus, events, scope)
        for event, wait_map in zip(run.waits, run.wait_maps, strict=True)
    ]
    execution = instruction_rows(veus, Opcode.RUN, (body, descriptor, tasks, 1, 1, constant or 0), scope)
    signals = [
        _signal(event, _at(signal_map, constant), coordinates, veus, events, scope)
        for event, signal_map in zip(run.signals, run.signal_maps, strict=True)
    ]
    return _by_task([*waits, _Column(execution, always), *(_Column(signal, always) for signal in signals)], scope)


def _at(map_attr: AffineMapAttr, constant: int | None) -> AffineMapAttr:
    """The map at a loop index that is known."""
    if constant is None:
        return map_attr
    affine_map = map_attr.data
    dims = [AffineExpr.dimension(dim) for dim in range(affine_map.num_dims)]
    symbols = [AffineExpr.constant(constant)] * affine_map.num_symbols
    return AffineMapAttr(affine_map.replace_dims_and_symbols(dims, symbols, affine_map.num_dims, 0))


def _by_task(columns: Sequence[_Column], scope: int) -> Rows:
    """Row by row what stands in columns: all instructions of a task, then those of the next."""
    words = np.stack([column.rows.words for column in columns], axis=1).reshape(-1, INSTRUCTION_WORDS)
    veus = np.stack([column.rows.veus for column in columns], axis=1).reshape(-1)
    needed = np.stack([column.needed for column in columns], axis=1).reshape(-1)
    return Rows(veus[needed], words[needed], scope)


def _veus(run: RunOp) -> IntArray:
    first, last = enclosing_veus(run)
    places = placement(run.place, run.first, run.last)
    wrong = np.flatnonzero((places < 0) | (places >= last - first))
    if wrong.size > 0:
        task, place = run.first + int(wrong[0]), int(places[wrong[0]])
        raise CompileError(f"task {task} of @{run.kernel.string_value()} is placed on vEU {place} of {last - first}")
    return places + first


def _wait(
    event: SSAValue,
    wait_map: EventMap,
    constant: int | None,
    coordinates: Sequence[IntArray],
    veus: IntArray,
    events: NumberOfEvent,
    scope: int,
) -> _Column:
    if isinstance(wait_map, AffineMapAttr):
        counters, counts, thresholds, growth = _wait_by_map(_at(wait_map, constant), coordinates)
    else:
        counters, counts, thresholds = table_rows(wait_map).T
        growth = np.zeros_like(counters)
    _check_counters(event, counters, counts)
    number, base = events(event)
    rows = instruction_rows(veus, Opcode.WAIT, (base + counters, counts, thresholds, growth, number), scope)
    return _Column(rows, (counts > 0) & ((thresholds > 0) | (growth > 0)))


def _wait_by_map(
    wait_map: AffineMapAttr, coordinates: Sequence[IntArray]
) -> tuple[IntArray, IntArray, IntArray, IntArray]:
    """First counters, their numbers, thresholds, and what these grow by in a step of the loop."""
    first, count, threshold = wait_map.data.results
    if depends_on_symbol(first) or depends_on_symbol(count):
        raise CompileError("the counters of a wait depend on the loop index: only its threshold may")
    check_linear_in_symbol(threshold, "the threshold of a wait")
    symbols = wait_map.data.num_symbols
    counters, counts, thresholds = evaluate(wait_map.data, coordinates, [0] * symbols)
    growth = evaluate(wait_map.data, coordinates, [1] * symbols)[2] - thresholds
    return counters, counts, thresholds, growth


def _signal(
    event: SSAValue,
    signal_map: AffineMapAttr,
    coordinates: Sequence[IntArray],
    veus: IntArray,
    events: NumberOfEvent,
    scope: int,
) -> Rows:
    if depends_on_symbol(signal_map.data.results[0]):
        raise CompileError("the counter of a signal depends on the loop index")
    counters = evaluate(signal_map.data, coordinates, [0] * signal_map.data.num_symbols)[0]
    _check_counters(event, counters, np.ones_like(counters))
    _, base = events(event)
    return instruction_rows(veus, Opcode.SIGNAL, (base + counters,), scope)


def _check_counters(event: SSAValue, first: IntArray, counts: IntArray) -> None:
    kind = event.type
    assert isinstance(kind, EventType)
    used = counts > 0
    wrong = np.flatnonzero(used & ((first < 0) | (first + counts > kind.counters)))
    if wrong.size > 0:
        counter = int(first[wrong[0]])
        raise CompileError(f"counter {counter} of an event of {kind.counters} counters")
