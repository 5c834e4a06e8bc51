"""rOperators, of the `rop` dialect."""

from collections.abc import Sequence
from typing import Self, cast

from xdsl.dialects.arith import ConstantOp
from xdsl.dialects.builtin import (
    TensorType,
)
from xdsl.ir import (
    Attribute,
    Operation,
    Region,
    SSAValue,
)
from xdsl.irdl import (
    IRDLOperation,
    irdl_op_definition,
    region_def,
    traits_def,
    var_operand_def,
    var_result_def,
)
from xdsl.parser import Parser
from xdsl.printer import Printer
from xdsl.traits import (
    IsolatedFromAbove,
    NoMemoryEffect,
    RecursiveMemoryEffect,
)
from xdsl.utils.exceptions import VerifyException

from rammer_ir.dialects.assembly import (
    parse_attribute_dictionary,
    parse_operand_group,
    parse_result_types,
    print_operand_group,
    print_result_types,
)
from rammer_ir.dialects.rop_generic import GenericOp
from rammer_ir.dialects.rop_regions import YieldOp, verify_region_arguments, verify_yielded


@irdl_op_definition
class OperatorOp(IRDLOperation):
    """
    One rOperator: a fusion group, the unit that is cut into rTasks and scheduled.

    The region takes the operands and yields the results: those of its last generic, the root. It holds generics (and
    constants); what lies between them lives in registers or shared memory of one rTask.

    Example:
    ```mlir
    %r = rop.operator ins(%x, %w : tensor<4x8xf32>, tensor<8x8xf32>) {
    ^bb0(%a: tensor<4x8xf32>, %b: tensor<8x8xf32>):
      %c = rop.generic bounds [4, 8, 8]
          maps [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (k, n)>, affine_map<(m, n, k) -> (m, n)>]
          reduce [add] ins(%a, %b : tensor<4x8xf32>, tensor<8x8xf32>) {
      ^bb1(%p: f32, %q: f32):
        %product = arith.mulf %p, %q : f32
        rop.yield %product : f32
      } -> tensor<4x8xf32>
      %d = rop.generic bounds [4, 8] maps [affine_map<(m, n) -> (m, n)>, affine_map<(m, n) -> (m, n)>]
          ins(%c : tensor<4x8xf32>) {
      ^bb2(%p: f32):
        %squashed = math.tanh %p : f32
        rop.yield %squashed : f32
      } -> tensor<4x8xf32>
      rop.yield %d : tensor<4x8xf32>
    } -> tensor<4x8xf32>
    ```
    """

    name = "rop.operator"
    inputs = var_operand_def()
    res = var_result_def(TensorType)
    body = region_def("single_block")
    traits = traits_def(IsolatedFromAbove(), NoMemoryEffect(), RecursiveMemoryEffect())

    def __init__(self, inputs: Sequence[SSAValue | Operation], result_types: Sequence[Attribute], body: Region) -> None:
        super().__init__(operands=[list(inputs)], result_types=[list(result_types)], regions=[body])

    def verify_(self) -> None:
        if not self.res:
            raise VerifyException("an rOperator needs at least one result")
        verify_region_arguments(self, self.body, [value.type for value in self.inputs])
        verify_yielded(self, self.body, self.result_types)
        for op in self.body.block.ops:
            if not isinstance(op, GenericOp | ConstantOp | YieldOp):
                raise VerifyException(f"an rOperator holds generics and constants, not {op.name}")
        generics = [op for op in self.body.block.ops if isinstance(op, GenericOp)]
        yielded = cast("YieldOp", self.body.block.last_op).values
        if not generics or len(yielded) != len(generics[-1].res) or set(yielded) != set(generics[-1].res):
            raise VerifyException("an rOperator yields the results of its last generic, each once")

    def print(self, printer: Printer) -> None:
        print_operand_group(printer, "ins", self.inputs)
        printer.print_op_attributes(self.attributes, print_keyword=True)
        printer.print_string(" ")
        printer.print_region(self.body)
        print_result_types(printer, self.result_types)

    @classmethod
    def parse(cls, parser: Parser) -> Self:
        inputs = parse_operand_group(parser, "ins")
        attributes = parse_attribute_dictionary(parser)
        body = parser.parse_region()
        op = cls(inputs, parse_result_types(parser), body)
        op.attributes = attributes
        return op
