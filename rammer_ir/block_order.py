"""The order of ops in a block: what depends on what, and a topological sort for passes that rewire operands freely."""

import heapq
from collections.abc import Iterator

from xdsl.ir import Block, Operation, SSAValue
from xdsl.traits import is_side_effect_free


def operands_in_block(op: Operation, block: Block) -> Iterator[Operation]:
    """The ops of the block whose results an op, or an op nested in it, uses; one may come more than once."""
    for nested in op.walk():
        for operand in nested.operands:
            owner = operand.owner
            # What is nested in another op of the block cannot be seen from here.
            if isinstance(owner, Operation) and owner.parent is block and owner is not op:
                yield owner


def depends_on(value: SSAValue, op: Operation) -> bool:
    """Whether a value is a result of the op or computed from one, through ops of the op's block."""
    block = op.parent
    owner = value.owner
    if block is None or not isinstance(owner, Operation):
        return False
    start = block.find_ancestor_op_in_block(owner)
    seen = {start}
    stack = [start]
    while stack:
        current = stack.pop()
        if current is op:
            return True
        if current is None:
            continue
        for before in operands_in_block(current, block):
            if before not in seen:
                seen.add(before)
                stack.append(before)
    return False


def sort_block(block: Block) -> None:
    """
    Reorders a block so that definitions come before uses, and otherwise as little as possible.

    Ops with side effects keep their order; the last op stays last. Raises ValueError if ops depend on one another in a
    circle.
    """
    ops = list(block.ops)
    if not ops:
        return
    position = {op: number for number, op in enumerate(ops)}
    waits = _predecessors(ops)
    successors: dict[Operation, list[Operation]] = {op: [] for op in ops}
    for op, before in waits.items():
        for other in before:
            successors[other].append(op)
    left = {op: len(before) for op, before in waits.items()}
    ready = [position[op] for op in ops if not left[op]]
    ordered: list[Operation] = []
    while ready:
        op = ops[heapq.heappop(ready)]
        ordered.append(op)
        for after in successors[op]:
            left[after] -= 1
            if not left[after]:
                heapq.heappush(ready, position[after])
    if len(ordered) != len(ops):
        raise ValueError("ops of a block depend on one another in a circle")
    if ordered != ops:
        for op in ops:
            op.detach()
        block.add_ops(ordered)


def _predecessors(ops: list[Operation]) -> dict[Operation, set[Operation]]:
    block = ops[0].parent
    assert block is not None
    waits = {op: set(operands_in_block(op, block)) for op in ops}
    last_effect: Operation | None = None
    for op in ops[:-1]:
        if not is_side_effect_free(op):
            if last_effect is not None:
                waits[op].add(last_effect)
            last_effect = op
    waits[ops[-1]].update(ops[:-1])
    return waits
