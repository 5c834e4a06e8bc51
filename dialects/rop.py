"""
The `rop` dialect: what a model computes, as rOperators over tensors (Rammer, OSDI'20, section 3.1).

An rOperator is a fusion group of `rop.generic`s. A generic states a computation by explicit loop bounds,
quasi-affine index maps, a pad value for reads out of range and a combiner for each reduction: convolutions,
matrix products, element-wise operators, pooling, softmax and layout changes are all generics or groups of them.
"""

from collections.abc import Sequence
from math import prod
from typing import Self, cast

from xdsl.dialects.arith import ConstantOp
from xdsl.dialects.builtin import (
    DYNAMIC_INDEX,
    AffineMapAttr,
    ArrayAttr,
    DenseArrayBase,
    FloatAttr,
    IndexType,
    IntegerAttr,
    StringAttr,
    SymbolNameConstraint,
    SymbolRefAttr,
    TensorType,
    UnitAttr,
    i64,
)
from xdsl.ir import (
    Attribute,
    Dialect,
    Operation,
    Region,
    SSAValue,
)
from xdsl.irdl import (
    AttrSizedOperandSegments,
    IRDLOperation,
    irdl_op_definition,
    lazy_traits_def,
    operand_def,
    opt_prop_def,
    opt_region_def,
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
    HasParent,
    IsolatedFromAbove,
    IsTerminator,
    NoMemoryEffect,
    Pure,
    RecursiveMemoryEffect,
    SymbolOpInterface,
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
from rammer_ir.dialects.rop_attributes import ELEMENT_TYPE_ATTRIBUTE, Combiner, CombinerAttr, TilingAttr
from rammer_ir.dialects.rop_extract import ExtractOp
from rammer_ir.dialects.rop_split import SplitAttr
from rammer_ir.indexing.ranges import extent_ranges, map_ranges


def tensor_type(value: SSAValue) -> TensorType[Attribute]:
    """The type of a value that is a tensor."""
    return cast("TensorType[Attribute]", value.type)


def used_dims(affine_map: AffineMapAttr) -> set[int]:
    """Positions of the loop dimensions that a map's results depend on."""
    return {dim for result in affine_map.data.results for dim in result.used_dims()}


@irdl_op_definition
class YieldOp(IRDLOperation):
    """
    Ends a region of this dialect with the values it gives.

    Example: `rop.yield %sum : f32`
    """

    name = "rop.yield"
    values = var_operand_def()
    traits = lazy_traits_def(lambda: (IsTerminator(), Pure(), HasParent(GenericOp, OperatorOp, ScanOp, WeightOp)))
    assembly_format = "attr-dict ($values^ `:` type($values))?"

    def __init__(self, *values: SSAValue | Operation) -> None:
        super().__init__(operands=[list(values)])


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


def _verify_region_arguments(op: Operation, region: Region, wanted: Sequence[Attribute]) -> None:
    if [argument.type for argument in region.block.args] != list(wanted):
        raise VerifyException(f"the region of {op.name} must take {', '.join(map(str, wanted)) or 'nothing'}")


def _verify_yielded(op: Operation, region: Region, wanted: Sequence[Attribute]) -> None:
    last = region.block.last_op
    if not isinstance(last, YieldOp):
        raise VerifyException(f"the region of {op.name} must end with rop.yield")
    if [value.type for value in last.values] != list(wanted):
        raise VerifyException(f"the region of {op.name} must yield {', '.join(map(str, wanted)) or 'nothing'}")


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
        _verify_region_arguments(self, self.body, [value.type for value in self.inputs])
        _verify_yielded(self, self.body, self.result_types)
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
        _verify_region_arguments(self, self.body, [IndexType(), *slices, *carried, *captured])
        if [value.type for value in self.last_values] != carried:
            raise VerifyException("the first results of a scan must have the types of the carried tensors")
        _verify_yielded(self, self.body, [*carried, *(_slice_type(value) for value in self.scanned_results)])
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
            _verify_region_arguments(self, self.recipe, [])
            _verify_yielded(self, self.recipe, [self.type])


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
