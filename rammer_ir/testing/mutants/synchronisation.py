"""Mutations of what orders vEUs: waits, signals, barriers."""

from typing import cast

import numpy as np
from xdsl.dialects.builtin import AffineMapAttr, DenseIntElementsAttr
from xdsl.ir import Block, Region, SSAValue
from xdsl.ir.affine import AffineExpr

from rammer_ir.dialects.vdevice import BarrierOp, EventOp, EventType, GroupOp, LaunchOp, RunOp, enclosing_veus
from rammer_ir.scheduling.maps import table_rows, wait_table
from rammer_ir.testing.mutants.sites import (
    Mutation,
    SignalList,
    Surgery,
    launch_of,
    replaced,
    signals_of,
    text_of,
    waits_of,
    with_results,
)


def _counters(event: SSAValue) -> int:
    return cast("EventType", event.type).counters


def _changed_wait(surgery: Surgery, part: int, by: int) -> str | None:
    """Adds `by` to a result of a wait's map: 0 the first counter, 1 the number of counters, 2 the threshold."""
    run = surgery.any(RunOp, lambda op: bool(op.waits))
    if run is None:
        return None
    waits = waits_of(run)
    number = surgery.number(0, len(waits) - 1)

    def change(results: list[AffineExpr]) -> None:
        results[part] = results[part] + by

    event, wait = waits[number]
    if isinstance(wait, AffineMapAttr):
        waits[number] = event, with_results(wait, change)
        return f"wait {number} of {text_of(replaced(run, waits=waits))}"
    task = _waiting_task(surgery, wait)
    if task is None:
        return None
    rows = table_rows(wait)
    rows[task, part] += by
    waits[number] = event, wait_table(rows)
    return f"wait {number} of task {task} of {text_of(replaced(run, waits=waits))}"


def _waiting_task(surgery: Surgery, wait: DenseIntElementsAttr) -> int | None:
    """One of the tasks that wait, by its position in the run."""
    return surgery.choose([int(task) for task in np.flatnonzero(table_rows(wait)[:, 1] > 0)])


def drop_wait(surgery: Surgery) -> str | None:
    """A run, or one of its tasks, does not wait for one of the events that it waited for."""
    run = surgery.any(RunOp, lambda op: bool(op.waits))
    if run is None:
        return None
    waits = waits_of(run)
    number = surgery.number(0, len(waits) - 1)
    event, wait = waits[number]
    if isinstance(wait, AffineMapAttr) or surgery.number(0, 1):
        del waits[number]
        return f"a wait of {text_of(replaced(run, waits=waits))}"
    task = _waiting_task(surgery, wait)
    if task is None:
        return None
    rows = table_rows(wait)
    rows[task] = 0
    waits[number] = event, wait_table(rows)
    return f"wait {number} of task {task} of {text_of(replaced(run, waits=waits))}"


def lower_threshold(surgery: Surgery) -> str | None:
    """A run waits for a signal, or two, less."""
    return _changed_wait(surgery, 2, -surgery.number(1, 2))


def raise_threshold(surgery: Surgery) -> str | None:
    """A run waits for one signal more."""
    return _changed_wait(surgery, 2, 1)


def narrow_wait(surgery: Surgery) -> str | None:
    """A run waits for one counter less."""
    return _changed_wait(surgery, 1, -1)


def shift_wait(surgery: Surgery) -> str | None:
    """A run waits for the counters beside those it waited for."""
    return _changed_wait(surgery, 0, surgery.choose([-1, 1]) or 1)


def wait_for_other_event(surgery: Surgery) -> str | None:
    """A run waits for another event of the launch."""
    run = surgery.any(RunOp, lambda op: bool(op.waits))
    if run is None:
        return None
    events = [op.result for op in launch_of(run).walk() if isinstance(op, EventOp)]
    waits = waits_of(run)
    number = surgery.number(0, len(waits) - 1)
    other = surgery.choose([event for event in events if event is not waits[number][0]])
    if other is None:
        return None
    waits[number] = other, waits[number][1]
    return f"wait {number} of {text_of(replaced(run, waits=waits))}"


def drop_signal(surgery: Surgery) -> str | None:
    """A run does not signal one of its events."""
    run = surgery.any(RunOp, lambda op: bool(op.signals))
    if run is None:
        return None
    signals = signals_of(run)
    del signals[surgery.number(0, len(signals) - 1)]
    return f"a signal of {text_of(replaced(run, signals=signals))}"


def shift_signal(surgery: Surgery) -> str | None:
    """A run signals the counters beside those it signalled, or all of its tasks the same."""
    run = surgery.any(RunOp, lambda op: bool(op.signals))
    if run is None:
        return None
    signals = signals_of(run)
    number = surgery.number(0, len(signals) - 1)
    event, signal = signals[number]
    kind = surgery.number(0, 2)

    def change(results: list[AffineExpr]) -> None:
        counters = _counters(event)
        results[0] = AffineExpr.constant(0) if kind == 2 else (results[0] + (1 + kind)) % counters

    signals[number] = event, with_results(signal, change)
    return f"signal {number} of {text_of(replaced(run, signals=signals))}"


def signal_earlier(surgery: Surgery) -> str | None:
    """A run before it gives the signals of a run: too early."""
    run = surgery.any(RunOp, lambda op: bool(op.signals))
    if run is None:
        return None
    earlier = _earlier_run(surgery, run)
    if earlier is None:
        return None
    signals = signals_of(run)
    moved = signals.pop(surgery.number(0, len(signals) - 1))
    if moved[1].data.num_dims != _dimensions(earlier) or moved[1].data.num_symbols > len(earlier.at):
        return None
    replaced(earlier, signals=[*signals_of(earlier), moved])
    return f"a signal of {text_of(replaced(run, signals=signals))}"


def _earlier_run(surgery: Surgery, run: RunOp) -> RunOp | None:
    launch = launch_of(run)
    runs = [op for op in launch.walk() if isinstance(op, RunOp)]
    return surgery.choose(runs[: runs.index(run)])


def _dimensions(run: RunOp) -> int:
    """How many coordinates its maps take, as far as they tell."""
    events = [*waits_of(run), *signals_of(run)]
    maps = [map_attr.data.num_dims for _, map_attr in events if isinstance(map_attr, AffineMapAttr)]
    return maps[0] if maps else -1


def signal_twice(surgery: Surgery) -> str | None:
    """A run gives one of its signals twice."""
    run = surgery.any(RunOp, lambda op: bool(op.signals))
    if run is None:
        return None
    signals: SignalList = signals_of(run)
    signals.append(signals[surgery.number(0, len(signals) - 1)])
    return f"a signal of {text_of(replaced(run, signals=signals))}"


def remove_barrier(surgery: Surgery) -> str | None:
    """A barrier is left out."""
    barrier = surgery.any(BarrierOp)
    if barrier is None:
        return None
    number = surgery.ops(BarrierOp).index(barrier)
    barrier.detach()
    barrier.erase()
    return f"barrier {number}"


def barrier_without_one(surgery: Surgery) -> str | None:
    """One vEU, the first or the last, does not come to a barrier."""
    barrier = surgery.any(BarrierOp, lambda op: isinstance(op.parent_op(), LaunchOp))
    if barrier is None:
        return None
    first, last = enclosing_veus(barrier)
    if last - first < 2:
        return None
    chosen = surgery.choose([(first + 1, last), (first, last - 1)]) or (first, last)
    number = surgery.ops(BarrierOp).index(barrier)
    body = Block([BarrierOp()])
    _insert_group(barrier, chosen, body)
    return f"barrier {number} for vEUs {chosen[0]} to {chosen[1]} alone"


def _insert_group(barrier: BarrierOp, veus: tuple[int, int], body: Block) -> None:
    block = barrier.parent
    assert block is not None
    block.insert_op_before(GroupOp(*veus, Region(body)), barrier)
    barrier.detach()
    barrier.erase()


def move_barrier(surgery: Surgery) -> str | None:
    """A barrier comes an op earlier or later."""
    barrier = surgery.any(BarrierOp)
    if barrier is None:
        return None
    block = barrier.parent
    assert block is not None
    ops = list(block.ops)
    at = ops.index(barrier)
    where = surgery.choose([place for place in (at - 1, at + 1) if 0 <= place < len(ops)])
    if where is None:
        return None
    other = ops[where]
    barrier.detach()
    if where < at:
        block.insert_op_before(barrier, other)
    else:
        block.insert_op_after(barrier, other)
    return f"barrier {'before' if where < at else 'after'} {other.name}"


SYNCHRONISATION: dict[str, Mutation] = {
    "drop a wait": drop_wait,
    "lower a threshold": lower_threshold,
    "raise a threshold": raise_threshold,
    "narrow a wait": narrow_wait,
    "shift a wait": shift_wait,
    "wait for another event": wait_for_other_event,
    "drop a signal": drop_signal,
    "signal another counter": shift_signal,
    "signal earlier": signal_earlier,
    "signal twice": signal_twice,
    "remove a barrier": remove_barrier,
    "one vEU skips a barrier": barrier_without_one,
    "move a barrier": move_barrier,
}
