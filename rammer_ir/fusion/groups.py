"""Grouping the generics of a block."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from xdsl.ir import Block, Operation, SSAValue

from rammer_ir.block_order import operands_in_block
from rammer_ir.dialects.rop import GenericOp, ScanOp
from rammer_ir.fusion.kinds import Kind, kind_of
from rammer_ir.fusion.legality import is_legal

Group = Sequence[GenericOp]
"""Generics in topological order: a contraction first, the root last."""


def fusion_groups(block: Block, row_limit: int) -> list[Group]:
    """
    The generics of a block in groups that are legal by `rammer_ir.fusion.legality`; each generic is in one.

    From the last ones back, a generic joins the group of its readers if they are all in one group and it stays legal:
    so a group's results are its root's, and no group depends on itself. Where two contractions feed a generic, the one
    at the end of the longer path joins, so that the other operand is there by then. What only follows a reduction
    element by element joins a group only together with it: otherwise it stays with the reduction.
    """
    grouping = _Grouping(block, row_limit)
    while (groups := grouping.attempt()) is None:
        pass
    position = {op: number for number, op in enumerate(block.ops)}
    return [_in_order(group, position) for group in groups]


def _in_order(group: Group, position: dict[Operation, int]) -> Group:
    return sorted(group, key=lambda member: (kind_of(member) is not Kind.CONTRACTION, position[member]))


@dataclass
class _Grouping:
    block: Block
    row_limit: int
    kinds: dict[GenericOp, Kind] = field(init=False)
    depths: dict[Operation, int] = field(init=False)
    fed_by_rows: set[GenericOp] = field(default_factory=set[GenericOp])
    """Element-wise generics that use what a row reduction gives."""
    chains: dict[GenericOp, Sequence[GenericOp]] = field(default_factory=dict[GenericOp, Sequence[GenericOp]])
    """The reduction, and the element-wise generics after it, that only serve an element-wise generic."""
    alone: set[GenericOp] = field(default_factory=set[GenericOp])
    """Members that joined a group in the hope of row reductions that did not come."""

    def __post_init__(self) -> None:
        generics = [op for op in self.block.ops if isinstance(op, GenericOp)]
        self.kinds = {generic: kind_of(generic) for generic in generics}
        self.depths = _depths(self.block)
        for generic in generics:
            if self.kinds[generic] is Kind.ELEMENTWISE:
                self._relate(generic)

    def _relate(self, generic: GenericOp) -> None:
        for value in generic.inputs:
            producer = value.owner
            if not isinstance(producer, GenericOp) or producer not in self.kinds:
                continue
            if self.kinds[producer] is Kind.ROWS or producer in self.fed_by_rows:
                self.fed_by_rows.add(generic)
            chain = self._chain_to(producer)
            if chain and all(use.operation is generic for result in producer.res for use in result.uses):
                if is_legal([*chain, generic], self.row_limit):
                    self.chains[generic] = chain

    def _chain_to(self, producer: GenericOp) -> Sequence[GenericOp]:
        if self.kinds[producer] is not Kind.ELEMENTWISE:
            return [producer]
        return [*self.chains[producer], producer] if producer in self.chains else []

    def attempt(self) -> list[Group] | None:
        """Groups, or None if some are not legal after all: then `alone` has grown."""
        group_of: dict[GenericOp, list[GenericOp]] = {}
        hopeful: set[GenericOp] = set()
        for generic in sorted(self.kinds, key=lambda generic: self.depths[generic], reverse=True):
            group = self._group_of_readers(generic, group_of)
            if group is None or not self._may_join(generic, group, hopeful):
                group = []
            group.insert(0, generic)
            group_of[generic] = group
        groups: list[Group] = [group for generic, group in group_of.items() if group[-1] is generic]
        illegal = [group for group in groups if not is_legal(group, self.row_limit)]
        self.alone.update(member for group in illegal for member in group if member in hopeful)
        return None if illegal else groups

    def _group_of_readers(
        self, generic: GenericOp, group_of: dict[GenericOp, list[GenericOp]]
    ) -> list[GenericOp] | None:
        """The group that everything that uses the generic's results is in; None if there is no such group."""
        groups: list[list[GenericOp]] = []
        for use in (use for result in generic.res for use in result.uses):
            reader = use.operation
            if not isinstance(reader, GenericOp) or reader not in group_of or use.index >= len(reader.inputs):
                return None
            groups.append(group_of[reader])
        return groups[0] if groups and all(group is groups[0] for group in groups) else None

    def _may_join(self, generic: GenericOp, group: list[GenericOp], hopeful: set[GenericOp]) -> bool:
        chain = self.chains.get(generic)
        if chain is not None and not is_legal([*chain, generic, *group], self.row_limit, expects_rows=True):
            return False
        if is_legal([generic, *group], self.row_limit):
            return True
        if generic in self.alone or not (generic in self.fed_by_rows or self.kinds[generic] is Kind.ROWS):
            return False
        if is_legal([generic, *group], self.row_limit, expects_rows=True):
            hopeful.add(generic)
            return True
        return False


def _depths(block: Block) -> dict[Operation, int]:
    """
    For each op of the block, the number of ops on the longest path to it.

    In a scan, a path from what the step before hands on is longer than any other.
    """
    depths: dict[Operation, int] = {}
    handed_on = _carried_arguments(block)
    longest = len(list(block.ops))
    for op in block.ops:
        before = [depths[other] for other in operands_in_block(op, block)]
        is_handed_on = any(value in handed_on for value in op.operands)
        depths[op] = 1 + max(before, default=0) + (longest if is_handed_on else 0)
    return depths


def _carried_arguments(block: Block) -> Sequence[SSAValue]:
    scan = block.parent_op()
    return scan.carried_arguments if isinstance(scan, ScanOp) else ()
