"""Which scans keep their weights on the vEUs, and how their steps are cut."""

from collections.abc import Sequence
from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects.builtin import ArrayAttr, ModuleOp
from xdsl.dialects.tensor import EmptyOp
from xdsl.ir import Block, BlockArgument, SSAValue
from xdsl.ir.affine import AffineDimExpr
from xdsl.rewriter import InsertPoint, Rewriter

from rammer_ir.dialects.rop import GenericOp, GetWeightOp, OperatorOp, ScanOp, TilingAttr
from rammer_ir.dialects.vdevice import DeviceOp
from rammer_ir.fusion.scan_step import fused_step
from rammer_ir.generics.parts import shape_of
from rammer_ir.pass_api import Pass
from rammer_ir.scheduling.program_form import constant_value, device_of
from rammer_ir.scheduling.storage import entry_function
from rammer_ir.tiling.recurrence import Step, match_step
from rammer_ir.tiling.recurrence_plan import RecurrencePlan, plan_recurrences
from rammer_ir.tiling.task_dimensions import generics_of


@dataclass(frozen=True)
class CutRecurrences(Pass):
    """
    Chooses the scans whose steps are recurrences with weights that can stay on vEUs of their own, all at a time.

    The operators of such a step become one; it is cut along its units, so that a task computes all that its units need,
    and so are the operators that give the states before the first step: both get a tiling of the kind `recurrence`.
    What only other steps read must be in rows, one a step: so that each value is written once (see
    `separate-scan-results`).
    Where the registers of a share of the device do not hold the weights, or a length is not known, scans stay as they
    are.
    """

    name = "cut-recurrences"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        _cut(entry_function(op).body.block, device_of(op))


@dataclass(frozen=True)
class _Candidate:
    """A scan, its step as one operator, and which of its carried tensors steps pass on to all units."""

    scan: ScanOp
    operator: OperatorOp
    step: Step
    exchanged: frozenset[int]

    @classmethod
    def of(cls, scan: ScanOp) -> "_Candidate | None":
        operator = fused_step(scan) if constant_value(scan.length) else None
        step = None if operator is None else match_step(generics_of(operator))
        if operator is None or step is None:
            return None
        read = [_source(operator, product.generic.inputs[product.x]) for product in step.products]
        weights = [_source(operator, product.generic.inputs[product.w]) for product in step.products]
        exchanged = frozenset(position for position, state in enumerate(scan.carried_arguments) if state in read)
        candidate = cls(scan, operator, step, exchanged)
        are_weights = all(_is_captured_weight(scan, value) for value in weights)
        return candidate if are_weights and candidate._is_cut_alike() else None

    def _is_cut_alike(self) -> bool:
        """Whether exchanged states have a row a step, and others are read where they are written, unit by unit."""
        length = constant_value(self.scan.length)
        if any(_initial(self.scan, position) is None for position in self.initialised):
            return False
        if any(shape_of(self.scan.carried[position])[0] != (length or 0) + 1 for position in self.exchanged):
            return False
        return all(self._is_local(position) for position in set(self.initialised) - self.exchanged)

    @property
    def initialised(self) -> Sequence[int]:
        """The carried tensors that hold something before the first step."""
        carried = self.scan.carried
        return [position for position, value in enumerate(carried) if not isinstance(value.owner, EmptyOp)]

    def _is_local(self, position: int) -> bool:
        """Whether a task reads of a carried tensor only what it wrote in the step before."""
        root = self.step.root
        state = self.scan.carried_arguments[position]
        written = [
            map_attr.data.results[1:]
            for value, map_attr in zip(root.into, root.output_maps, strict=True)
            if _source(self.operator, value) is state
        ]
        for generic in self.step.generics:
            for value, map_attr in zip(generic.inputs, generic.input_maps, strict=True):
                if _source(self.operator, value) is state:
                    if generic is not root or [map_attr.data.results[1:]] != written:
                        return False
        return len(written) == 1

    def is_read_only_by(self, scans: Sequence[ScanOp]) -> bool:
        """Whether other scans of these alone read the exchanged states."""
        return all(
            isinstance(use.operation, ScanOp) and use.operation in scans
            for position in self.exchanged
            for use in self.scan.last_values[position].uses
        )


def _source(operator: OperatorOp, value: SSAValue) -> SSAValue | None:
    """What an operator's body takes as an argument."""
    return operator.inputs[value.index] if isinstance(value, BlockArgument) else None


def _is_captured_weight(scan: ScanOp, value: SSAValue | None) -> bool:
    first = 1 + len(scan.scanned) + len(scan.carried)
    if not isinstance(value, BlockArgument) or value.index < first:
        return False
    return isinstance(scan.captured[value.index - first].owner, GetWeightOp)


def _initial(scan: ScanOp, position: int) -> OperatorOp | None:
    """The operator that gives a carried tensor before the first step, if it is one element-wise generic."""
    owner = scan.carried[position].owner
    if not isinstance(owner, OperatorOp) or len(owner.res) != 1 or len(list(owner.res[0].uses)) != 1:
        return None
    generics = generics_of(owner)
    return owner if len(generics) == 1 and generics[0].into and not generics[0].reduction_dims() else None


def _cut(block: Block, device: DeviceOp) -> None:
    found = [_Candidate.of(op) for op in block.ops if isinstance(op, ScanOp)]
    candidates = [candidate for candidate in found if candidate is not None]
    chosen, plan = _choose(candidates, device)
    for candidate in candidates:
        if candidate not in chosen:
            candidate.operator.erase()
    if plan is None:
        return
    for candidate, units in zip(chosen, plan.units, strict=True):
        _tile(candidate, units, plan.threads)


def _choose(candidates: Sequence[_Candidate], device: DeviceOp) -> tuple[Sequence[_Candidate], RecurrencePlan | None]:
    """The candidates that stay, the first ones where there are too many, and their plan."""
    chosen = list(candidates)
    while chosen:
        scans = [candidate.scan for candidate in chosen]
        readable = [candidate for candidate in chosen if candidate.is_read_only_by(scans)]
        if len(readable) < len(chosen):
            chosen = readable
            continue
        plan = plan_recurrences([candidate.step for candidate in chosen], device)
        if plan is not None:
            return chosen, plan
        chosen = chosen[:-1]
    return [], None


def _tile(candidate: _Candidate, units: int, threads: int) -> None:
    """Replaces the operators of a step by the one, and gives it, and those of initial states, their tilings."""
    scan, operator = candidate.scan, candidate.operator
    last = scan.body.block.last_op
    assert last is not None
    before = [op for op in scan.body.block.ops if isinstance(op, OperatorOp)]
    Rewriter.insert_op(operator, InsertPoint.before(last))
    for old, new in zip(before[-1].res, operator.res, strict=True):
        new.name_hint = old.name_hint
        old.replace_all_uses_with(new)
    for op in reversed(before):
        op.detach()
        op.erase()
    root = candidate.step.root
    operator.attributes["tilings"] = _tiling(root, candidate.step.unit, units, threads)
    for position in candidate.initialised:
        initial = _initial(scan, position)
        assert initial is not None
        generic = generics_of(initial)[-1]
        unit = _unit_of(candidate, position, generic)
        initial.attributes["tilings"] = _tiling(generic, unit, units, threads)


def _tiling(root: GenericOp, unit: int, units: int, threads: int) -> ArrayAttr[TilingAttr]:
    tile = [min(units, bound) if dim == unit else bound for dim, bound in enumerate(root.bounds)]
    return ArrayAttr([TilingAttr("recurrence", tile, threads)])


def _unit_of(candidate: _Candidate, position: int, generic: GenericOp) -> int:
    """The loop of a generic that writes a state which goes along the units."""
    root, state = candidate.step.root, candidate.scan.carried_arguments[position]
    written = next(
        map_attr.data.results
        for value, map_attr in zip(root.into, root.output_maps, strict=True)
        if _source(candidate.operator, value) is state
    )
    dim = written.index(AffineDimExpr(candidate.step.unit))
    result = generic.output_maps[0].data.results[dim]
    assert isinstance(result, AffineDimExpr)
    return result.position
