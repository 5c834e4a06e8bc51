"""Recurrences, of the `rop` dialect."""

from collections.abc import Sequence
from typing import Self

from xdsl.dialects.builtin import (
    IndexType,
    TensorType,
    UnitAttr,
)
from xdsl.ir import (
    Attribute,
    BlockArgument,
    Operation,
    Region,
    SSAValue,
)
from xdsl.irdl import (
    AttrSizedOperandSegments,
    IRDLOperation,
    irdl_op_definition,
    operand_def,
    opt_prop_def,
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
from rammer_ir.dialects.rop_generic import tensor_type
from rammer_ir.dialects.rop_regions import verify_region_arguments, verify_yielded


@irdl_op_definition
class ScanOp(IRDLOperation):
    """
    A loop of run-time length that carries state: a recurrence (ONNX LSTM, GRU, RNN, Scan, Loop).

    The region takes the step's index, one slice of each `scanned` tensor (without its leading dimension), the
    `carried` tensors and the `captured` ones, and yields the next carried tensors, then one slice of each scanned
    result. The op's results are the last carried tensors, then the scanned results. The leading dimensions of
    scanned tensors are the declared maximum of `length`; rows of a result from `length` on are zero. With
    `reverse`, steps run from the last row to the first.

    Example:
    ```mlir
    %last, %all = rop.scan %length scanned(%x : tensor<100x8xf32>) carried(%h : tensor<8xf32>)
                                   captured(%r : tensor<8xf32>) {
    ^bb0(%t: index, %xt: tensor<8xf32>, %ht: tensor<8xf32>, %w: tensor<8xf32>):
      %next = rop.generic bounds [8]
          maps [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>, affine_map<(i) -> (i)>, affine_map<(i) -> (i)>]
          ins(%xt, %ht, %w : tensor<8xf32>, tensor<8xf32>, tensor<8xf32>) {
      ^bb1(%p: f32, %q: f32, %s: f32):
        %decayed = arith.mulf %q, %s : f32
        %sum = arith.addf %p, %decayed : f32
        rop.yield %sum : f32
      } -> tensor<8xf32>
      rop.yield %next, %next : tensor<8xf32>, tensor<8xf32>
    } -> tensor<8xf32>, tensor<100x8xf32>
    ```
    """

    name = "rop.scan"
    length = operand_def(IndexType())
    scanned = var_operand_def(TensorType)
    carried = var_operand_def(TensorType)
    captured = var_operand_def()
    res = var_result_def(TensorType)
    reverse = opt_prop_def(UnitAttr)
    body = region_def("single_block")
    irdl_options = (AttrSizedOperandSegments(as_property=True),)
    traits = traits_def(IsolatedFromAbove(), NoMemoryEffect(), RecursiveMemoryEffect())

    def __init__(
        self,
        length: SSAValue | Operation,
        scanned: Sequence[SSAValue | Operation],
        carried: Sequence[SSAValue | Operation],
        captured: Sequence[SSAValue | Operation],
        result_types: Sequence[Attribute],
        body: Region,
        *,
        reverse: bool = False,
    ) -> None:
        super().__init__(
            operands=[length, list(scanned), list(carried), list(captured)],
            result_types=[list(result_types)],
            properties={"reverse": UnitAttr() if reverse else None},
            regions=[body],
        )

    @property
    def carried_arguments(self) -> Sequence[BlockArgument]:
        """The arguments of the body that are the carried tensors."""
        first = 1 + len(self.scanned)
        return self.body.block.args[first : first + len(self.carried)]

    @property
    def last_values(self) -> Sequence[SSAValue]:
        """The carried tensors after the last step."""
        return self.res[: len(self.carried)]

    @property
    def scanned_results(self) -> Sequence[SSAValue]:
        """One row a step."""
        return self.res[len(self.carried) :]

    def verify_(self) -> None:
        if not self.res:
            raise VerifyException("a scan needs at least one result")
        carried = [value.type for value in self.carried]
        slices = [_slice_type(value) for value in self.scanned]
        captured = [value.type for value in self.captured]
        verify_region_arguments(self, self.body, [IndexType(), *slices, *carried, *captured])
        if [value.type for value in self.last_values] != carried:
            raise VerifyException("the first results of a scan must have the types of the carried tensors")
        verify_yielded(self, self.body, [*carried, *(_slice_type(value) for value in self.scanned_results)])
        steps = {tensor_type(value).get_shape()[0] for value in (*self.scanned, *self.scanned_results)}
        if len(steps) > 1:
            raise VerifyException(f"scanned tensors have one row a step, all as many, not {sorted(steps)}")

    def print(self, printer: Printer) -> None:
        printer.print_string(" ")
        printer.print_ssa_value(self.length)
        if self.reverse is not None:
            printer.print_string(" reverse")
        print_operand_group(printer, "scanned", self.scanned)
        print_operand_group(printer, "carried", self.carried)
        print_operand_group(printer, "captured", self.captured)
        printer.print_op_attributes(self.attributes, print_keyword=True)
        printer.print_string(" ")
        printer.print_region(self.body)
        print_result_types(printer, self.result_types)

    @classmethod
    def parse(cls, parser: Parser) -> Self:
        length = parser.parse_operand(IndexType())
        reverse = parser.parse_optional_keyword("reverse") is not None
        scanned = parse_operand_group(parser, "scanned")
        carried = parse_operand_group(parser, "carried")
        captured = parse_operand_group(parser, "captured")
        attributes = parse_attribute_dictionary(parser)
        body = parser.parse_region()
        op = cls(length, scanned, carried, captured, parse_result_types(parser), body, reverse=reverse)
        op.attributes = attributes
        return op


def _slice_type(value: SSAValue) -> Attribute:
    tensor = tensor_type(value)
    if tensor.get_num_dims() == 0:
        raise VerifyException("a scanned tensor needs a leading dimension")
    return TensorType(tensor.element_type, tensor.get_shape()[1:])
