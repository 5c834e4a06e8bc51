"""Mutations of what runs when and where: entries of streams, task ranges, loops, placements, groups."""

from typing import cast

from xdsl.dialects.arith import ConstantOp
from xdsl.dialects.builtin import IndexType, IntegerAttr
from xdsl.ir import Operation

from rammer_ir.dialects.integers import integer, integers
from rammer_ir.dialects.vdevice import ForOp, GroupOp, LaunchOp, RunOp, enclosing_veus
from rammer_ir.testing.mutants.sites import Mutation, Surgery, places_of, replaced, table, text_of


def swap_runs(surgery: Surgery) -> str | None:
    """Two runs of one block change places: entries of the streams of their vEUs do."""
    first = surgery.any(RunOp)
    if first is None or first.parent is None:
        return None
    second = surgery.choose([op for op in first.parent.ops if isinstance(op, RunOp) and op is not first])
    if second is None:
        return None
    _exchange(first, second)
    return f"{text_of(first)} and {text_of(second)}"


def swap_neighbours(surgery: Surgery) -> str | None:
    """Two ops next to each other in the text change places."""
    first = surgery.any(RunOp)
    if first is None or first.parent is None or first.next_op is None:
        return None
    second = first.next_op
    second.detach()
    first.parent.insert_op_before(second, first)
    return f"{text_of(first)} and {second.name}"


def _exchange(first: Operation, second: Operation) -> None:
    block = first.parent
    assert block is not None
    ops = list(block.ops)
    low, high = sorted((ops.index(first), ops.index(second)))
    one, other = ops[low], ops[high]
    after = ops[high - 1]
    one.detach()
    if after is one:
        block.insert_op_after(one, other)
        return
    other.detach()
    block.insert_op_before(other, ops[low + 1])
    block.insert_op_after(one, after)


def move_run(surgery: Surgery) -> str | None:
    """A run stands somewhere else in its block."""
    run = surgery.any(RunOp)
    if run is None or run.parent is None:
        return None
    block = run.parent
    target = surgery.choose([op for op in block.ops if op is not run])
    if target is None:
        return None
    run.detach()
    block.insert_op_before(run, target)
    return f"{text_of(run)} before {target.name}"


def drop_run(surgery: Surgery) -> str | None:
    """A run is left out."""
    run = surgery.any(RunOp)
    if run is None:
        return None
    text = text_of(run)
    run.detach()
    run.erase()
    return text


def repeat_run(surgery: Surgery) -> str | None:
    """A run stands twice in the text."""
    run = surgery.any(RunOp)
    if run is None or run.parent is None:
        return None
    run.parent.insert_op_before(run.clone(), run)
    return text_of(run)


def shorten_run(surgery: Surgery) -> str | None:
    """A run leaves out its first or its last task."""
    run = surgery.any(RunOp, lambda op: op.last - op.first > 1)
    if run is None:
        return None
    places = places_of(run)
    if surgery.number(0, 1):
        new = replaced(run, tasks=(run.first + 1, run.last), place=table(places[1:]))
    else:
        new = replaced(run, tasks=(run.first, run.last - 1), place=table(places[:-1]))
    return text_of(new)


def reverse_halves(surgery: Surgery) -> str | None:
    """The second half of a run's tasks comes before the first."""
    run = surgery.any(RunOp, lambda op: op.last - op.first > 1)
    if run is None or run.parent is None:
        return None
    middle = surgery.number(run.first + 1, run.last - 1)
    places = places_of(run)
    text = text_of(run)
    copy = run.clone()
    run.parent.insert_op_before(copy, run)
    replaced(copy, tasks=(middle, run.last), place=table(places[middle - run.first :]))
    replaced(run, tasks=(run.first, middle), place=table(places[: middle - run.first]))
    return f"{text} at {middle}"


def other_length(surgery: Surgery) -> str | None:
    """A loop of known length runs once less, or once more."""
    loop = surgery.any(ForOp, lambda op: isinstance(op.length.owner, ConstantOp))
    if loop is None:
        return None
    constant = loop.length.owner
    assert isinstance(constant, ConstantOp)
    length = cast("IntegerAttr[IndexType]", constant.value).value.data + (surgery.choose([-1, 1]) or 1)
    shorter = ConstantOp.from_int_and_width(max(length, 0), IndexType())
    block = surgery.program.body.block
    first = block.first_op
    assert first is not None
    block.insert_op_before(shorter, first)
    loop.operands[0] = shorter.result
    return f"{length} iterations"


def move_task(surgery: Surgery) -> str | None:
    """One task runs on another vEU of its group."""
    run = surgery.any(RunOp)
    if run is None:
        return None
    first, last = enclosing_veus(run)
    places = places_of(run)
    task = surgery.number(0, len(places) - 1)
    other = surgery.choose([veu for veu in range(last - first) if veu != places[task]])
    if other is None:
        return None
    places[task] = other
    return f"task {task} of {text_of(replaced(run, place=table(places)))} to vEU {other}"


def move_run_to_other_veus(surgery: Surgery) -> str | None:
    """All tasks of a run move on by one vEU."""
    run = surgery.any(RunOp)
    if run is None:
        return None
    first, last = enclosing_veus(run)
    places = [(veu + 1) % (last - first) for veu in places_of(run)]
    return f"{text_of(replaced(run, place=table(places)))}"


def add_veu(surgery: Surgery) -> str | None:
    """A launch has one vEU more, or one less."""
    launch = surgery.any(LaunchOp)
    if launch is None:
        return None
    veus = launch.veus + (surgery.choose([1, 1, -1]) or 1)
    if veus < 1:
        return None
    launch.veus_ = integer(veus)
    return f"{veus} vEUs"


def move_group(surgery: Surgery) -> str | None:
    """A group is for the vEUs beside those it was for."""
    group = surgery.any(GroupOp)
    if group is None:
        return None
    low, high = surgery.choose([(-1, 0), (0, 1), (1, 1), (-1, -1), (0, -1)]) or (0, 1)
    group.range = integers((group.first + low, group.last + high))
    return f"[{group.first}, {group.last}]"


ORDER: dict[str, Mutation] = {
    "swap two entries": swap_runs,
    "swap neighbours": swap_neighbours,
    "move an entry": move_run,
    "drop an entry": drop_run,
    "repeat an entry": repeat_run,
    "leave out a task": shorten_run,
    "second half first": reverse_halves,
    "another loop length": other_length,
    "move a task": move_task,
    "move a run": move_run_to_other_veus,
    "add or drop a vEU": add_veu,
    "move a group": move_group,
}
