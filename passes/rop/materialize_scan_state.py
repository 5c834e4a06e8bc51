"""The state of scans becomes rows of whole tensors that are written in place."""

from collections.abc import Sequence
from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects.arith import ConstantOp
from xdsl.dialects.builtin import IndexType, IntegerAttr, ModuleOp, TensorType
from xdsl.dialects.tensor import EmptyOp
from xdsl.ir import Attribute, Block, BlockArgument, Operation, OpResult, Region, SSAValue
from xdsl.ir.affine import AffineExpr, AffineMap
from xdsl.rewriter import InsertPoint, Rewriter

from rammer_ir.dialects.rop import GenericOp, OperatorOp, ScanOp, YieldOp, tensor_type
from rammer_ir.generics.copies import copy_generic, zero_generic
from rammer_ir.generics.parts import shape_of
from rammer_ir.locations import location_of, set_location
from rammer_ir.pass_api import Pass


@dataclass(frozen=True)
class MaterializeScanState(Pass):
    """
    Rewrites every scan so that it only captures tensors and carries whole tensors that each step writes a row of.

    - A scanned tensor is captured; step t reads its row t.
    - A scanned result is carried; step t writes its row t.
    - A carried tensor gets two rows by the parity of t: step t reads one and writes the other. One that is a scanned
      result too gets a row more than there are steps: step t reads row t and writes row t + 1 (in reverse, reads t + 1
      and writes t), and the scanned result is a view of it.

    A scan in reverse whose length is known becomes one that counts its steps up, and its rows down. Rows that no step
    reaches are zero, as the scan's results were: a tensor is filled with zeros first, unless the
    length is known to be that of the tensors. Reads and writes of rows are copies, which `absorb-views` and
    `write-in-place` merge into the generics of the step; initial values are copied to their row, final ones read from
    theirs.
    """

    name = "materialize-scan-state"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        for scan in [found for found in op.walk() if isinstance(found, ScanOp)]:
            if not _is_materialized(scan):
                _Materialization(scan).run()


def _yielded(scan: ScanOp | OperatorOp) -> Sequence[SSAValue]:
    last = scan.body.block.last_op
    assert isinstance(last, YieldOp)
    return last.values


def _is_materialized(scan: ScanOp) -> bool:
    """Whether nothing is scanned and each carried tensor goes on as what was written into it."""
    states = scan.body.block.args[1 : 1 + len(scan.carried)]
    if scan.scanned or scan.scanned_results:
        return False
    return all(_written_tensor(value) is state for value, state in zip(_yielded(scan), states, strict=True))


def _written_tensor(value: SSAValue) -> SSAValue:
    """The tensor into which a value was written, in one step or several, by generics or operators; or the value."""
    if not isinstance(value, OpResult):
        return value
    match value.op:
        case GenericOp() as generic if generic.into:
            return _written_tensor(generic.into[value.index])
        case OperatorOp() as operator:
            inner = _written_tensor(_yielded(operator)[value.index])
            if isinstance(inner, BlockArgument) and inner.block is operator.body.block:
                return _written_tensor(operator.inputs[inner.index])
            return value
        case _:
            return value


@dataclass(frozen=True)
class _Rows:
    """
    A tensor of rows: its type, and whether rows are numbered modulo 2.

    `results` are the scanned results that it holds too.
    """

    type: TensorType[Attribute]
    is_alternating: bool = False
    results: tuple[int, ...] = ()

    def at_row(self, row: AffineExpr) -> AffineMap:
        """The map from an index of one row to the tensor's, with one symbol."""
        dims = [AffineExpr.dimension(dim) for dim in range(self.type.get_num_dims() - 1)]
        return AffineMap(len(dims), 1, (row % 2 if self.is_alternating else row, *dims))


class _Materialization:
    """The rewriting of one scan."""

    def __init__(self, scan: ScanOp) -> None:
        self.scan = scan
        self.is_reverse = scan.reverse is not None
        self.length = _constant_index(scan.length)
        # With a length that is known, a scan in reverse counts its rows down and its steps up.
        self.is_forward = not self.is_reverse or (self.length is not None and not scan.body.block.args[0].uses)
        step = AffineExpr.symbol(0)
        self.row = step if not self.is_reverse or not self.is_forward else step * -1 + ((self.length or 0) - 1)
        self.read_row, self.written_row = (self.row + 1, self.row) if self.is_reverse else (self.row, self.row + 1)
        # The number of rows as an expression whose symbol is the length.
        rows = AffineExpr.symbol(0) if self.length is None else AffineExpr.constant(self.length)
        zero = AffineExpr.constant(0)
        self.first_row, self.last_row = (rows, zero) if self.is_reverse else (zero, rows)
        self.states = [self._state(position) for position in range(len(scan.carried))]
        shared = {result for state in self.states for result in state.results}
        self.separate = [result for result in range(len(scan.scanned_results)) if result not in shared]

    def _state(self, position: int) -> _Rows:
        row = tensor_type(self.scan.carried[position])
        value = _yielded(self.scan)[position]
        results = _yielded(self.scan)[len(self.scan.carried) :]
        steps = [tensor_type(rows).get_shape()[0] for rows in self.scan.scanned_results]
        shared = [result for result, yielded in enumerate(results) if yielded is value]
        # In reverse, the initial state is in the row behind the last step's, which must not be one of the result's.
        if not shared or (self.is_reverse and self.length != steps[shared[0]]):
            return _Rows(TensorType(row.element_type, (2, *row.get_shape())), is_alternating=True)
        rows = TensorType(row.element_type, (steps[shared[0]] + 1, *row.get_shape()))
        return _Rows(rows, results=tuple(result for result in shared if steps[result] == steps[shared[0]]))

    def run(self) -> None:
        scan = self.scan
        carried = [self._initial(*item) for item in zip(self.states, scan.carried, strict=True)]
        separate = [tensor_type(scan.scanned_results[result]) for result in self.separate]
        carried += [self._rows_to_write(rows, is_filled=self.length != rows.get_shape()[0]) for rows in separate]
        captured = [*scan.captured, *scan.scanned]
        new = ScanOp(
            scan.length,
            [],
            carried,
            captured,
            [value.type for value in carried],
            Region(self._body([value.type for value in carried], [value.type for value in captured])),
            reverse=not self.is_forward,
        )
        new.attributes = dict(scan.attributes)
        self._insert(new)
        self._replace_results(new)
        scan.detach()
        scan.erase()

    def _insert(self, op: Operation) -> None:
        set_location(op, location_of(self.scan))
        Rewriter.insert_op(op, InsertPoint.before(self.scan))

    def _rows_to_write(self, rows: TensorType[Attribute], *, is_filled: bool) -> SSAValue:
        op = zero_generic(rows) if is_filled else EmptyOp([], rows)
        self._insert(op)
        return op.results[0]

    def _initial(self, state: _Rows, value: SSAValue) -> SSAValue:
        """The rows of a state before the first step."""
        is_filled = not state.is_alternating and self.length != state.type.get_shape()[0] - 1
        rows = self._rows_to_write(state.type, is_filled=is_filled)
        shape = tensor_type(value).get_shape()
        write = state.at_row(self.first_row)
        copy = copy_generic(
            shape, value, AffineMap.identity(len(shape)), write, state.type, into=rows, at=[self.scan.length]
        )
        self._insert(copy)
        return copy.res[0]

    def _body(self, carried: Sequence[Attribute], captured: Sequence[Attribute]) -> Block:
        scan = self.scan
        old = scan.body.block
        block = Block(arg_types=[IndexType(), *carried, *captured])
        step, *tensors = block.args
        states, separate = tensors[: len(self.states)], tensors[len(self.states) : len(carried)]
        old_captured, scanned = (
            tensors[len(carried) :][: len(scan.captured)],
            tensors[len(tensors) - len(scan.scanned) :],
        )
        values: list[SSAValue] = [step]
        for rows, slice_ in zip(scanned, old.args[1:], strict=False):
            read = _Rows(tensor_type(rows)).at_row(self.row)
            values.append(self._read_row(block, rows, read, tensor_type(slice_)))
        for state, rows, value in zip(self.states, states, scan.carried, strict=True):
            values.append(self._read_row(block, rows, state.at_row(self.read_row), tensor_type(value)))
        Rewriter.inline_block(old, InsertPoint.at_end(block), [*values, *old_captured])
        self._write_rows(block, states, separate)
        return block

    def _read_row(self, block: Block, rows: SSAValue, read: AffineMap, row: TensorType[Attribute]) -> SSAValue:
        shape = row.get_shape()
        copy = copy_generic(shape, rows, read, AffineMap.identity(len(shape)), row, at=[block.args[0]])
        set_location(copy, location_of(self.scan))
        block.add_op(copy)
        return copy.res[0]

    def _write_rows(self, block: Block, states: Sequence[SSAValue], separate: Sequence[SSAValue]) -> None:
        """Replaces the yield of rows by writes into whole tensors and a yield of these."""
        last = block.last_op
        assert isinstance(last, YieldOp)
        places = [
            *((rows, state.at_row(self.written_row)) for state, rows in zip(self.states, states, strict=True)),
            *((rows, _Rows(tensor_type(rows)).at_row(self.row)) for rows in separate),
        ]
        yielded = [*last.values[: len(states)], *(last.values[len(states) + result] for result in self.separate)]
        written: list[SSAValue] = []
        for value, (rows, write) in zip(yielded, places, strict=True):
            shape = tensor_type(value).get_shape()
            copy = copy_generic(
                shape, value, AffineMap.identity(len(shape)), write, rows.type, into=rows, at=[block.args[0]]
            )
            set_location(copy, location_of(self.scan))
            block.add_op(copy)
            written.append(copy.res[0])
        last.detach()
        last.erase()
        end = YieldOp(*written)
        set_location(end, location_of(self.scan))
        block.add_op(end)

    def _replace_results(self, new: ScanOp) -> None:
        scan = self.scan
        for state, rows, value in zip(self.states, new.res, scan.last_values, strict=False):
            if value.uses:
                shape = tensor_type(value).get_shape()
                read, write = state.at_row(self.last_row), AffineMap.identity(len(shape))
                self._replace(value, copy_generic(shape, rows, read, write, value.type, at=[self.scan.length]))
            for result in state.results:
                all_rows = scan.scanned_results[result]
                dims = [AffineExpr.dimension(dim) for dim in range(len(shape_of(all_rows)))]
                first = 0 if self.is_reverse else 1
                read = AffineMap(len(dims), 0, (dims[0] + first, *dims[1:]))
                write = AffineMap.identity(len(dims))
                self._replace(all_rows, copy_generic(shape_of(all_rows), rows, read, write, all_rows.type))
        for result, rows in zip(self.separate, new.res[len(self.states) :], strict=True):
            scan.scanned_results[result].replace_all_uses_with(rows)

    def _replace(self, old: SSAValue, copy: GenericOp) -> None:
        self._insert(copy)
        old.replace_all_uses_with(copy.res[0])


def _constant_index(value: SSAValue) -> int | None:
    owner = value.owner
    if isinstance(owner, ConstantOp) and isinstance(owner.value, IntegerAttr):
        return owner.value.value.data
    return None
