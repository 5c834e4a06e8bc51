"""
The `rop` dialect: what a model computes, as rOperators over tensors (Rammer, OSDI'20, section 3.1).

An rOperator is a fusion group of `rop.generic`s. A generic states a computation by explicit loop bounds,
quasi-affine index maps, a pad value for reads out of range and a combiner for each reduction: convolutions,
matrix products, element-wise operators, pooling, softmax and layout changes are all generics or groups of them.
"""

from xdsl.ir import Dialect

from rammer_ir.dialects.rop_attributes import ELEMENT_TYPE_ATTRIBUTE, Combiner, CombinerAttr, TilingAttr
from rammer_ir.dialects.rop_extract import ExtractOp
from rammer_ir.dialects.rop_generic import GenericOp, IndexOp, tensor_type, used_dims
from rammer_ir.dialects.rop_operator import OperatorOp
from rammer_ir.dialects.rop_regions import YieldOp
from rammer_ir.dialects.rop_scan import ScanOp
from rammer_ir.dialects.rop_split import SplitAttr
from rammer_ir.dialects.rop_weight import GetWeightOp, WeightOp

Rop = Dialect(
    "rop",
    [YieldOp, IndexOp, ExtractOp, GenericOp, OperatorOp, ScanOp, WeightOp, GetWeightOp],
    [CombinerAttr, SplitAttr, TilingAttr],
)

__all__ = [
    "ELEMENT_TYPE_ATTRIBUTE",
    "Combiner",
    "CombinerAttr",
    "ExtractOp",
    "GenericOp",
    "GetWeightOp",
    "IndexOp",
    "OperatorOp",
    "Rop",
    "ScanOp",
    "SplitAttr",
    "TilingAttr",
    "WeightOp",
    "YieldOp",
    "tensor_type",
    "used_dims",
]
