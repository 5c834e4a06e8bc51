"""Reads at indices that are computed: the op of the `rop` dialect for gathers, scatters, interpolation and search."""

from collections.abc import Sequence
from typing import ClassVar, cast

from xdsl.dialects.builtin import IndexType, TensorType
from xdsl.ir import Attribute, Operation, SSAValue
from xdsl.irdl import (
    AnyAttr,
    IRDLOperation,
    VarConstraint,
    irdl_op_definition,
    operand_def,
    result_def,
    traits_def,
    var_operand_def,
)
from xdsl.traits import Pure
from xdsl.utils.exceptions import VerifyException


@irdl_op_definition
class ExtractOp(IRDLOperation):
    """
    The element of a tensor at an index that the body of a `rop.generic` computes.

    The tensor is a value from around the generic, not one of its inputs: the generic may read all of it. An index that
    is out of range reads the nearest element: it is clamped in each dimension, so no index leaves the tensor.

    Example (rows of a table):
    ```mlir
    %rows = rop.generic bounds [3, 4] maps [affine_map<(i, j) -> (i)>, affine_map<(i, j) -> (i, j)>]
        ins(%numbers : tensor<3xi64>) {
    ^bb0(%number: i64):
      %row = arith.index_cast %number : i64 to index
      %column = rop.index 1
      %element = rop.extract %table[%row, %column] : tensor<10x4xf32>
      rop.yield %element : f32
    } -> tensor<3x4xf32>
    ```
    """

    name = "rop.extract"
    T: ClassVar = VarConstraint("T", AnyAttr())
    tensor = operand_def(TensorType.constr(T))
    indices = var_operand_def(IndexType())
    result = result_def(T)
    traits = traits_def(Pure())
    assembly_format = "$tensor `[` $indices `]` attr-dict `:` type($tensor)"

    def __init__(self, tensor: SSAValue | Operation, indices: Sequence[SSAValue | Operation]) -> None:
        value = SSAValue.get(tensor)
        element = cast("TensorType[Attribute]", value.type).element_type
        super().__init__(operands=[value, list(indices)], result_types=[element])

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the tensor."""
        return cast("TensorType[Attribute]", self.tensor.type).get_shape()

    def verify_(self) -> None:
        parent = self.parent_op()
        if parent is None or parent.name != "rop.generic":
            raise VerifyException("rop.extract stands outside the body of a rop.generic")
        if len(self.indices) != len(self.shape):
            raise VerifyException(f"{len(self.indices)} indices for an element of {self.tensor.type}")
        if any(extent <= 0 for extent in self.shape):
            raise VerifyException(f"{self.tensor.type} is not known to have elements")
