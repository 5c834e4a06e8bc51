"""Mutations of launches: their order, and what belongs to one."""

from collections.abc import Sequence

from xdsl.ir import Block, SSAValue

from rammer_ir.dialects.vdevice import ForOp, LaunchOp
from rammer_ir.testing.mutants.sites import Mutation, Surgery


def drop_token(surgery: Surgery) -> str | None:
    """A launch does not come after one of those that it came after."""
    launch = surgery.any(LaunchOp, lambda op: bool(op.after))
    if launch is None:
        return None
    after = list(launch.after)
    del after[surgery.number(0, len(after) - 1)]
    _with_order(launch, after)
    return f"{len(after)} left"


def drop_all_tokens(surgery: Surgery) -> str | None:
    """A launch comes after none of those that it came after."""
    launch = surgery.any(LaunchOp, lambda op: bool(op.after))
    if launch is None:
        return None
    _with_order(launch, [])
    return "all"


def other_token(surgery: Surgery) -> str | None:
    """A launch comes after another one instead."""
    launch = surgery.any(LaunchOp, lambda op: bool(op.after))
    if launch is None:
        return None
    after = list(launch.after)
    place = surgery.number(0, len(after) - 1)
    earlier = _before(surgery, launch)
    other = surgery.choose([token for token in earlier if token not in after])
    if other is None:
        return None
    after[place] = other
    _with_order(launch, after)
    return f"token {place}"


def _before(surgery: Surgery, launch: LaunchOp) -> list[SSAValue]:
    found: list[SSAValue] = []
    for op in surgery.ops(LaunchOp):
        if op is launch:
            break
        if op.token is not None:
            found.append(op.token)
    return found


def side_by_side(surgery: Surgery) -> str | None:
    """Two launches, one after the other, are not ordered any more."""
    launch = surgery.any(LaunchOp, lambda op: op.token is None and isinstance(op.prev_op, LaunchOp))
    if launch is None or not isinstance(launch.prev_op, LaunchOp):
        return None
    before = launch.prev_op
    if isinstance(launch.parent_op(), ForOp):
        return None
    if before.token is None:
        _with_order(before, [])
    _with_order(launch, [])
    return "two launches"


def _with_order(launch: LaunchOp, after: Sequence[SSAValue]) -> LaunchOp:
    block = launch.parent
    assert block is not None
    body = launch.detach_region(launch.body)
    new = launch.with_same_budget(body, after=after)
    new.location = launch.location
    block.insert_op_before(new, launch)
    if launch.token is not None and new.token is not None:
        launch.token.replace_all_uses_with(new.token)
    launch.detach()
    launch.erase()
    return new


def swap_launches(surgery: Surgery) -> str | None:
    """A launch stands before the one, or the loop, that stood before it."""
    launch = surgery.any(LaunchOp, lambda op: isinstance(op.prev_op, LaunchOp | ForOp))
    if launch is None or launch.prev_op is None:
        return None
    before = launch.prev_op
    if isinstance(before, LaunchOp) and before.token is not None and before.token in launch.after:
        return None
    launch.detach()
    block = before.parent
    assert block is not None
    block.insert_op_before(launch, before)
    return "two launches"


def merge_launches(surgery: Surgery) -> str | None:
    """What two launches did, one does without a barrier."""
    launch = surgery.any(
        LaunchOp,
        lambda op: isinstance(op.prev_op, LaunchOp) and op.token is None and op.prev_op.token is None,
    )
    if launch is None or not isinstance(launch.prev_op, LaunchOp):
        return None
    before = launch.prev_op
    if before.veus < launch.veus:
        before.veus_ = launch.veus_
    target: Block = before.body.block
    for op in list(launch.body.block.ops):
        op.detach()
        target.add_op(op)
    launch.detach()
    launch.erase()
    return "two launches"


LAUNCHES: dict[str, Mutation] = {
    "drop a token": drop_token,
    "drop all tokens": drop_all_tokens,
    "another token": other_token,
    "launches side by side": side_by_side,
    "swap launches": swap_launches,
    "merge launches": merge_launches,
}
