"""Reductions by the threads of a warp."""

from typing import ClassVar, Self

from xdsl.dialects.builtin import (
    IndexType,
    IntegerAttr,
    StringAttr,
    i64,
)
from xdsl.ir import (
    Attribute,
    Block,
    Operation,
    Region,
    SSAValue,
)
from xdsl.irdl import (
    AnyAttr,
    IRDLOperation,
    VarConstraint,
    irdl_op_definition,
    operand_def,
    prop_def,
    region_def,
    result_def,
)
from xdsl.parser import Parser
from xdsl.printer import Printer
from xdsl.utils.exceptions import VerifyException

from rammer_ir.dialects.assembly import parse_attribute_dictionary
from rammer_ir.dialects.block_structure import Level, ParallelOp, YieldOp
from rammer_ir.dialects.integers import integer
from rammer_ir.dialects.nesting import enclosing_op
from rammer_ir.dialects.rop import Combiner


@irdl_op_definition
class WarpReduceOp(IRDLOperation):
    """
    A reduction by one warp: the combination of what the region yields for each index from 0 to the extent.

    Stands in a warp-level parallel loop. Lanes take indices in turn, then combine in a fixed order; the result is the
    same in all lanes.

    Example:
    ```mlir
    %sum = block.warp_reduce add (%k) in %n -> f32 {
      %v = memref.load %x[%k] : memref<?xf32, "global">
      block.yield %v : f32
    }
    ```
    """

    name = "block.warp_reduce"
    combiner_ = prop_def(StringAttr, prop_name="combiner")
    extent = operand_def(IndexType())
    result = result_def()
    body = region_def("single_block")

    def __init__(
        self, combiner: Combiner, extent: SSAValue | Operation, result_type: Attribute, body: Region | None = None
    ) -> None:
        region = Region(Block(arg_types=[IndexType()])) if body is None else body
        super().__init__(
            operands=[extent],
            result_types=[result_type],
            properties={"combiner": StringAttr(combiner.value)},
            regions=[region],
        )

    @property
    def combiner(self) -> Combiner:
        return Combiner(self.combiner_.data)

    @property
    def index(self) -> SSAValue:
        return self.body.block.args[0]

    def verify_(self) -> None:
        if self.combiner_.data not in tuple(Combiner) or self.combiner is Combiner.NONE:
            raise VerifyException(f"a reduction needs a combiner, got {self.combiner_.data}")
        if [argument.type for argument in self.body.block.args] != [IndexType()]:
            raise VerifyException("a warp reduction has one index")
        last = self.body.block.last_op
        if not isinstance(last, YieldOp) or [value.type for value in last.values] != [self.result.type]:
            raise VerifyException("a warp reduction must yield one value of its result's type")
        loop = enclosing_op(self, ParallelOp)
        if loop is None or loop.level is not Level.WARP:
            raise VerifyException("block.warp_reduce stands outside a warp-level parallel loop")
        if enclosing_op(self, WarpReduceOp) is not None:
            raise VerifyException("reductions by a warp do not nest")

    def print(self, printer: Printer) -> None:
        printer.print_string(f" {self.combiner.value} (")
        printer.print_ssa_value(self.index)
        printer.print_string(") in ")
        printer.print_ssa_value(self.extent)
        printer.print_string(" -> ")
        printer.print_attribute(self.result.type)
        printer.print_op_attributes(self.attributes, print_keyword=True)
        printer.print_string(" ")
        printer.print_region(self.body, print_entry_block_args=False)

    @classmethod
    def parse(cls, parser: Parser) -> Self:
        combiner = parser.parse_str_enum(Combiner)
        parser.parse_punctuation("(")
        index = parser.parse_argument(expect_type=False).resolve(IndexType())
        parser.parse_punctuation(")")
        parser.parse_keyword("in")
        extent = parser.parse_operand(IndexType())
        parser.parse_punctuation("->")
        result_type = parser.parse_type()
        attributes = parse_attribute_dictionary(parser)
        op = cls(combiner, extent, result_type, parser.parse_region([index]))
        op.attributes = attributes
        return op


@irdl_op_definition
class LaneReduceOp(IRDLOperation):
    """
    The combination of the values that `lanes` iterations of a loop over threads have; the same for all of them.

    They are those whose numbers differ in `(i floordiv step) mod lanes` alone. All iterations must come to it, and
    their number must be a multiple of 32; `lanes` and `step` are powers of two, together at most 32.

    Example: `%sum = block.lane_reduce add %value over 8 step 4 : f32`
    """

    name = "block.lane_reduce"
    combiner_ = prop_def(StringAttr, prop_name="combiner")
    lanes_ = prop_def(IntegerAttr.constr(i64), prop_name="lanes")
    step_ = prop_def(IntegerAttr.constr(i64), prop_name="step")
    T: ClassVar = VarConstraint("T", AnyAttr())
    value = operand_def(T)
    result = result_def(T)

    def __init__(self, combiner: Combiner, value: SSAValue | Operation, lanes: int, step: int = 1) -> None:
        super().__init__(
            operands=[value],
            result_types=[SSAValue.get(value).type],
            properties={"combiner": StringAttr(combiner.value), "lanes": integer(lanes), "step": integer(step)},
        )

    @property
    def combiner(self) -> Combiner:
        return Combiner(self.combiner_.data)

    @property
    def lanes(self) -> int:
        return self.lanes_.value.data

    @property
    def step(self) -> int:
        """Iterations between those that are combined."""
        return self.step_.value.data

    def verify_(self) -> None:
        if self.combiner_.data not in tuple(Combiner) or self.combiner is Combiner.NONE:
            raise VerifyException(f"a reduction needs a combiner, got {self.combiner_.data}")
        if any(number < 1 or number & (number - 1) for number in (self.lanes, self.step)):
            raise VerifyException(f"lanes and step must be powers of two, got {self.lanes} and {self.step}")
        if self.lanes * self.step > 32:
            raise VerifyException(f"{self.lanes} lanes with step {self.step} are in no warp of 32")
        parent = self.parent_op()
        if parent is not None and (not isinstance(parent, ParallelOp) or parent.level is not Level.THREAD):
            raise VerifyException("block.lane_reduce stands right in a thread-level parallel loop: all come to it")

    def print(self, printer: Printer) -> None:
        printer.print_string(f" {self.combiner.value} ")
        printer.print_ssa_value(self.value)
        printer.print_string(f" over {self.lanes} step {self.step}")
        printer.print_op_attributes(self.attributes, print_keyword=True)
        printer.print_string(" : ")
        printer.print_attribute(self.result.type)

    @classmethod
    def parse(cls, parser: Parser) -> Self:
        combiner = parser.parse_str_enum(Combiner)
        value = parser.parse_unresolved_operand()
        parser.parse_keyword("over")
        lanes = parser.parse_integer()
        parser.parse_keyword("step")
        step = parser.parse_integer()
        attributes = parse_attribute_dictionary(parser)
        parser.parse_punctuation(":")
        op = cls(combiner, parser.resolve_operand(value, parser.parse_type()), lanes, step)
        op.attributes = attributes
        return op
