"""A tensor of the model during import."""

from dataclasses import dataclass
from functools import cached_property
from typing import cast

from xdsl.dialects.builtin import TensorType
from xdsl.ir import Attribute, SSAValue

from rammer_ir.frontend.element_types import Array, DType, dtype_of_element, tensor_type
from rammer_ir.frontend.names import quoted


@dataclass(frozen=True, eq=False)
class Value:
    """
    A tensor that the program computes (`ssa`) or that is known (`constant`): one of the two is set.

    `name` is its name in the model, or one made from a node's.
    """

    name: str
    dtype: DType
    shape: tuple[int, ...]
    ssa: SSAValue | None = None
    constant: Array | None = None

    @staticmethod
    def of_array(name: str, array: Array) -> "Value":
        """A known value."""
        return Value(name, array.dtype, array.shape, constant=array)

    @staticmethod
    def of_ssa(name: str, ssa: SSAValue) -> "Value":
        """A computed value; its type must be a tensor of static shape."""
        tensor = cast("TensorType[Attribute]", ssa.type)
        return Value(name, dtype_of_element(tensor.element_type), tensor.get_shape(), ssa=ssa)

    @property
    def rank(self) -> int:
        return len(self.shape)

    @cached_property
    def type(self) -> TensorType[Attribute]:
        """The IR's type; raises UnsupportedModelError for element types that the IR does not have."""
        return tensor_type(self.dtype, self.shape, f"value {quoted(self.name)}")

    @property
    def element_type(self) -> Attribute:
        """The IR's element type; raises as `type` does."""
        return self.type.element_type
