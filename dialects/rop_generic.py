"""Computations over boxes of loop indices, of the `rop` dialect."""

from collections.abc import Sequence
from math import prod
from typing import Self, cast

from xdsl.dialects.builtin import (
    DYNAMIC_INDEX,
    AffineMapAttr,
    ArrayAttr,
    DenseArrayBase,
    FloatAttr,
    IndexType,
    IntegerAttr,
    TensorType,
    UnitAttr,
    i64,
)
from xdsl.ir import (
    Attribute,
    Operation,
    Region,
    SSAValue,
)
from xdsl.irdl import (
    AttrSizedOperandSegments,
    IRDLOperation,
    irdl_op_definition,
    opt_prop_def,
    prop_def,
    region_def,
    result_def,
    traits_def,
    var_operand_def,
    var_result_def,
)
from xdsl.parser import Parser
from xdsl.printer import Printer
from xdsl.traits import (
    NoMemoryEffect,
    Pure,
    RecursiveMemoryEffect,
)
from xdsl.utils.exceptions import VerifyException

from rammer_ir.dialects.assembly import (
    parse_attribute_dictionary,
    parse_attributes,
    parse_index_group,
    parse_integers,
    parse_operand_group,
    parse_result_types,
    print_attributes,
    print_index_group,
    print_integers,
    print_operand_group,
    print_result_types,
)
from rammer_ir.dialects.integers import integer, integers, values_of
from rammer_ir.dialects.rop_attributes import Combiner, CombinerAttr
from rammer_ir.dialects.rop_extract import ExtractOp
from rammer_ir.dialects.rop_regions import YieldOp
from rammer_ir.indexing.ranges import extent_ranges, map_ranges


def tensor_type(value: SSAValue) -> TensorType[Attribute]:
    """The type of a value that is a tensor."""
    return cast("TensorType[Attribute]", value.type)


def used_dims(affine_map: AffineMapAttr) -> set[int]:
    """Positions of the loop dimensions that a map's results depend on."""
    return {dim for result in affine_map.data.results for dim in result.used_dims()}


@irdl_op_definition
class IndexOp(IRDLOperation):
    """
    The current index of a loop dimension, inside the body of a `rop.generic`.

    Example: `%row = rop.index 0`
    """

    name = "rop.index"
    dim = prop_def(IntegerAttr.constr(i64))
    result = result_def(IndexType())
    traits = traits_def(Pure())
    assembly_format = "$dim attr-dict"

    def __init__(self, dim: int) -> None:
        super().__init__(properties={"dim": integer(dim)}, result_types=[IndexType()])

    def verify_(self) -> None:
        parent = self.parent_op()
        if not isinstance(parent, GenericOp):
            raise VerifyException("rop.index stands outside the body of a rop.generic")
        if not 0 <= self.dim.value.data < len(parent.bounds):
            raise VerifyException(f"rop.index {self.dim.value.data} of a generic with {len(parent.bounds)} dimensions")


@irdl_op_definition
class GenericOp(IRDLOperation):
    """
    A computation over a box of loop indices.

    For every index in `bounds`, the body gets one element of each input, read at the index that the input's map
    gives, and yields one value a result. A loop dimension that a result's map does not use is reduced into that
    result by its combiner. `maps` holds the inputs' maps, then the results'. A read out of the input's range
    gives the input's `pad` value; an input whose pad is `unit` may not be read out of range.

    Where an index has to be computed, the body reads an element of a tensor from around it by `rop.extract`.

    `into` gives the results' initial contents (all of them or none): elements that are not written keep them.
    `at` binds the maps' symbols: task coordinates and loop indices. With symbols, loop indices whose write lies
    out of a result's range are skipped: this is how a tile is clipped to its tensor. What a tile computes from a
    read out of range of an input without pad value is unspecified, and must not reach what is written.

    Example (a 3x3 convolution of one image, padding 1):
    ```mlir
    %c = rop.generic bounds [64, 32, 32, 3, 3, 3]
        maps [affine_map<(o, h, w, i, y, x) -> (0, i, h + y - 1, w + x - 1)>,
              affine_map<(o, h, w, i, y, x) -> (o, i, y, x)>,
              affine_map<(o, h, w, i, y, x) -> (0, o, h, w)>]
        reduce [add] pad [0.0 : f32, unit] ins(%image, %weights : tensor<1x3x32x32xf32>, tensor<64x3x3x3xf32>) {
    ^bb0(%p: f32, %q: f32):
      %m = arith.mulf %p, %q : f32
      rop.yield %m : f32
    } -> tensor<1x64x32x32xf32>
    ```
    """

    name = "rop.generic"
    inputs = var_operand_def(TensorType)
    into = var_operand_def(TensorType)
    at = var_operand_def(IndexType())
    res = var_result_def(TensorType)
    bounds_ = prop_def(DenseArrayBase.constr(i64), prop_name="bounds")
    maps = prop_def(ArrayAttr[AffineMapAttr])
    reduce = prop_def(ArrayAttr[CombinerAttr])
    pad = opt_prop_def(ArrayAttr[Attribute])
    body = region_def("single_block")
    irdl_options = (AttrSizedOperandSegments(as_property=True),)
    traits = traits_def(NoMemoryEffect(), RecursiveMemoryEffect())

    def __init__(
        self,
        bounds: Sequence[int],
        maps: Sequence[AffineMapAttr],
        inputs: Sequence[SSAValue | Operation],
        result_types: Sequence[Attribute],
        body: Region,
        *,
        reduce: Sequence[Combiner] | None = None,
        pad: Sequence[Attribute] | None = None,
        into: Sequence[SSAValue | Operation] = (),
        at: Sequence[SSAValue | Operation] = (),
    ) -> None:
        combiners = [Combiner.NONE] * len(result_types) if reduce is None else reduce
        super().__init__(
            operands=[list(inputs), list(into), list(at)],
            result_types=[list(result_types)],
            properties={
                "bounds": integers(bounds),
                "maps": ArrayAttr(maps),
                "reduce": ArrayAttr([CombinerAttr(combiner) for combiner in combiners]),
                "pad": None if pad is None else ArrayAttr(pad),
            },
            regions=[body],
        )

    @property
    def bounds(self) -> tuple[int, ...]:
        """The extents of the loop dimensions."""
        return values_of(self.bounds_)

    @property
    def input_maps(self) -> tuple[AffineMapAttr, ...]:
        return self.maps.data[: len(self.inputs)]

    @property
    def output_maps(self) -> tuple[AffineMapAttr, ...]:
        return self.maps.data[len(self.inputs) :]

    @property
    def combiners(self) -> tuple[Combiner, ...]:
        return tuple(combiner.data for combiner in self.reduce.data)

    @property
    def pads(self) -> tuple[Attribute, ...]:
        """A pad value, or `unit`, for each input."""
        return (UnitAttr(),) * len(self.inputs) if self.pad is None else self.pad.data

    @property
    def extracted(self) -> tuple[SSAValue, ...]:
        """The tensors that the body reads at computed indices, each once: any of their elements may be read."""
        return tuple(dict.fromkeys(op.tensor for op in self.body.block.ops if isinstance(op, ExtractOp)))

    def reduction_dims(self, result: int = 0) -> tuple[int, ...]:
        """Loop dimensions, of more than one index, that are reduced into a result."""
        kept = used_dims(self.output_maps[result])
        return tuple(dim for dim, bound in enumerate(self.bounds) if dim not in kept and bound > 1)

    def verify_(self) -> None:
        if any(bound <= 0 for bound in self.bounds):
            raise VerifyException(f"bounds must be positive, got {list(self.bounds)}")
        if len(self.maps) != len(self.inputs) + len(self.res):
            raise VerifyException(
                f"{len(self.maps)} maps for {len(self.inputs)} inputs and {len(self.res)} results: one each is needed"
            )
        if not self.res:
            raise VerifyException("a generic needs at least one result")
        if len(self.reduce) != len(self.res):
            raise VerifyException(f"{len(self.reduce)} combiners for {len(self.res)} results")
        if self.into and [value.type for value in self.into] != [value.type for value in self.res]:
            raise VerifyException("into must give one tensor of the same type for every result, or none")
        self._verify_pads()
        self._verify_maps()
        self._verify_reductions()
        if not self.at:
            self._verify_writes()
        self._verify_body()

    def _verify_pads(self) -> None:
        if len(self.pads) != len(self.inputs):
            raise VerifyException(f"{len(self.pads)} pad values for {len(self.inputs)} inputs: one each, or unit")
        for value, pad in zip(self.inputs, self.pads, strict=True):
            if isinstance(pad, UnitAttr):
                continue
            element = tensor_type(value).element_type
            if not isinstance(pad, FloatAttr | IntegerAttr) or cast("FloatAttr | IntegerAttr", pad).type != element:
                raise VerifyException(f"pad value {pad} does not have the element type {element}")

    def _verify_maps(self) -> None:
        tensors = [tensor_type(value) for value in (*self.inputs, *self.res)]
        for position, (map_attr, tensor) in enumerate(zip(self.maps.data, tensors, strict=True)):
            affine_map = map_attr.data
            if affine_map.num_dims != len(self.bounds) or affine_map.num_symbols != len(self.at):
                raise VerifyException(
                    f"map {position} has {affine_map.num_dims} dimensions and {affine_map.num_symbols} symbols, "
                    f"but there are {len(self.bounds)} bounds and {len(self.at)} indices in at"
                )
            if len(affine_map.results) != tensor.get_num_dims():
                raise VerifyException(f"map {position} has {len(affine_map.results)} results for {tensor}")
            is_padded = position < len(self.inputs) and not isinstance(self.pads[position], UnitAttr)
            if not self.at and not is_padded:
                self._verify_in_range(position, map_attr, tensor)

    def _verify_in_range(self, position: int, map_attr: AffineMapAttr, tensor: TensorType[Attribute]) -> None:
        try:
            ranges = map_ranges(map_attr.data, extent_ranges(self.bounds))
        except ValueError as error:
            raise VerifyException(f"map {position}: {error}") from error
        for dim, (values, extent) in enumerate(zip(ranges, tensor.get_shape(), strict=True)):
            if extent >= 0 and (values.low < 0 or values.high >= extent):
                raise VerifyException(
                    f"map {position} reaches {values.low}..{values.high} in dimension {dim} of {tensor}; "
                    "give a pad value or narrow the bounds"
                )

    def _verify_reductions(self) -> None:
        for result, combiner in enumerate(self.combiners):
            reduced = self.reduction_dims(result)
            if reduced and combiner is Combiner.NONE:
                raise VerifyException(
                    f"dimensions {list(reduced)} are reduced into result {result}: it needs a combiner"
                )

    def _verify_writes(self) -> None:
        """By numbers: no element is written twice, and without initial contents all of them are written."""
        for result, (map_attr, value) in enumerate(zip(self.output_maps, self.res, strict=True)):
            points = prod(self.bounds[dim] for dim in used_dims(map_attr))
            reached = prod(values.extent for values in map_ranges(map_attr.data, extent_ranges(self.bounds)))
            if points > reached:
                raise VerifyException(
                    f"result {result} gets {points} values for {reached} elements: an element may be written only once"
                )
            shape = tensor_type(value).get_shape()
            if not self.into and DYNAMIC_INDEX not in shape and points < prod(shape):
                raise VerifyException(
                    f"result {result} has {prod(shape)} elements, of which {points} are written: "
                    "into must give what the others are"
                )

    def _verify_body(self) -> None:
        elements = [tensor_type(value).element_type for value in self.inputs]
        if [argument.type for argument in self.body.block.args] != elements:
            raise VerifyException("the body's arguments must be the inputs' element types")
        if any(tensor in self.into for tensor in self.extracted):
            raise VerifyException("a generic may not write into a tensor that it reads at computed indices")
        last = self.body.block.last_op
        if not isinstance(last, YieldOp):
            raise VerifyException("the body must end with rop.yield")
        wanted = [tensor_type(value).element_type for value in self.res]
        if [value.type for value in last.values] != wanted:
            raise VerifyException("the body must yield one value of each result's element type")

    def print(self, printer: Printer) -> None:
        printer.print_string(" bounds ")
        print_integers(printer, self.bounds)
        printer.print_string(" maps ")
        print_attributes(printer, self.maps)
        if any(combiner is not Combiner.NONE for combiner in self.combiners):
            printer.print_string(" reduce ")
            with printer.in_square_brackets():
                printer.print_list(self.combiners, lambda combiner: printer.print_string(combiner.value))
        if self.pad is not None:
            printer.print_string(" pad ")
            print_attributes(printer, self.pad)
        print_operand_group(printer, "ins", self.inputs)
        print_operand_group(printer, "into", self.into)
        print_index_group(printer, "at", self.at)
        printer.print_op_attributes(self.attributes, print_keyword=True)
        printer.print_string(" ")
        printer.print_region(self.body)
        print_result_types(printer, self.result_types)

    @classmethod
    def parse(cls, parser: Parser) -> Self:
        parser.parse_keyword("bounds")
        bounds = parse_integers(parser)
        parser.parse_keyword("maps")
        maps = parse_attributes(parser)
        reduce = None
        if parser.parse_optional_keyword("reduce") is not None:
            square = parser.Delimiter.SQUARE
            reduce = parser.parse_comma_separated_list(square, lambda: parser.parse_str_enum(Combiner))
        pad = None if parser.parse_optional_keyword("pad") is None else parse_attributes(parser)
        inputs = parse_operand_group(parser, "ins")
        into = parse_operand_group(parser, "into")
        at = parse_index_group(parser, "at")
        attributes = parse_attribute_dictionary(parser)
        body = parser.parse_region()
        op = cls(
            bounds,
            cast("list[AffineMapAttr]", maps),
            inputs,
            parse_result_types(parser),
            body,
            reduce=reduce,
            pad=pad,
            into=into,
            at=at,
        )
        op.attributes = attributes
        return op
