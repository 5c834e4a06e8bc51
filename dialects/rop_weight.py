"""Weights, and the recipes of those derived from others, of the `rop` dialect."""

from xdsl.dialects.builtin import (
    DYNAMIC_INDEX,
    StringAttr,
    SymbolNameConstraint,
    SymbolRefAttr,
    TensorType,
)
from xdsl.ir import (
    Attribute,
    Region,
)
from xdsl.irdl import (
    IRDLOperation,
    irdl_op_definition,
    opt_prop_def,
    opt_region_def,
    prop_def,
    result_def,
    traits_def,
)
from xdsl.traits import (
    IsolatedFromAbove,
    Pure,
    SymbolOpInterface,
)
from xdsl.utils.exceptions import VerifyException

from rammer_ir.dialects.rop_regions import verify_region_arguments, verify_yielded


@irdl_op_definition
class WeightOp(IRDLOperation):
    """
    A constant tensor of the model: a name, a type and the hash of its bytes, which stay in the weight store.

    A derived weight has a region instead of a hash (its recipe): generics over other weights, evaluated by the
    store when the program is built and kept by recipe and source.

    Example:
    ```mlir
    rop.weight @filter : tensor<64x3xf32> hash "5f3a"
    rop.weight @transposed : tensor<3x64xf32> {
      %w = rop.get_weight @filter : tensor<64x3xf32>
      %t = rop.generic bounds [3, 64] maps [affine_map<(i, j) -> (j, i)>, affine_map<(i, j) -> (i, j)>]
          ins(%w : tensor<64x3xf32>) {
      ^bb0(%p: f32):
        rop.yield %p : f32
      } -> tensor<3x64xf32>
      rop.yield %t : tensor<3x64xf32>
    }
    ```
    """

    name = "rop.weight"
    sym_name = prop_def(SymbolNameConstraint())
    type = prop_def(TensorType)
    hash = opt_prop_def(StringAttr)
    recipe = opt_region_def("single_block")
    traits = traits_def(SymbolOpInterface(), IsolatedFromAbove())
    assembly_format = "$sym_name `:` $type (`hash` $hash^)? attr-dict-with-keyword ($recipe^)?"

    def __init__(
        self, name: str, tensor: TensorType[Attribute], *, hash: str | None = None, recipe: Region | None = None
    ) -> None:
        super().__init__(
            properties={
                "sym_name": StringAttr(name),
                "type": tensor,
                "hash": None if hash is None else StringAttr(hash),
            },
            regions=[[] if recipe is None else [recipe]],
        )

    def verify_(self) -> None:
        if (self.hash is None) == (self.recipe is None):
            raise VerifyException(f"weight @{self.sym_name.data} needs either a hash or a recipe")
        if DYNAMIC_INDEX in self.type.get_shape():
            raise VerifyException(f"weight @{self.sym_name.data} must have a static shape, not {self.type}")
        if self.recipe is not None:
            verify_region_arguments(self, self.recipe, [])
            verify_yielded(self, self.recipe, [self.type])


@irdl_op_definition
class GetWeightOp(IRDLOperation):
    """
    The value of a weight.

    Example: `%w = rop.get_weight @filter : tensor<64x3xf32>`
    """

    name = "rop.get_weight"
    weight = prop_def(SymbolRefAttr)
    result = result_def(TensorType)
    traits = traits_def(Pure())
    assembly_format = "$weight attr-dict `:` type($result)"

    def __init__(self, weight: str, tensor: Attribute) -> None:
        super().__init__(properties={"weight": SymbolRefAttr(weight)}, result_types=[tensor])
