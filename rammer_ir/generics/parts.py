"""A `rop.generic` taken apart, to be changed and built again."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from xdsl.dialects.builtin import AffineMapAttr, TensorType, UnitAttr
from xdsl.ir import Attribute, SSAValue
from xdsl.ir.affine import AffineExpr, AffineMap
from xdsl.rewriter import Rewriter

from rammer_ir.dialects.rop import Combiner, GenericOp
from rammer_ir.indexing.ranges import Range, extent_ranges


def shape_of(value: SSAValue) -> tuple[int, ...]:
    """The shape of a tensor."""
    return cast("TensorType[Attribute]", value.type).get_shape()


@dataclass
class Input:
    """A tensor, the map by which it is read, and its pad value or `unit`."""

    value: SSAValue
    map: AffineMap
    pad: Attribute


@dataclass
class Output:
    """A result's type, the map by which it is written, its combiner, and the tensor it is written into."""

    type: Attribute
    map: AffineMap
    combiner: Combiner
    into: SSAValue | None


@dataclass
class GenericParts:
    """All of a generic but its body. The maps' symbols stand for `at`."""

    bounds: tuple[int, ...]
    inputs: list[Input]
    outputs: list[Output]
    at: list[SSAValue]

    @classmethod
    def of(cls, generic: GenericOp) -> "GenericParts":
        inputs = [
            Input(value, map_attr.data, pad)
            for value, map_attr, pad in zip(generic.inputs, generic.input_maps, generic.pads, strict=True)
        ]
        into = generic.into or [None] * len(generic.res)
        outputs = [
            Output(value.type, map_attr.data, combiner, destination)
            for value, map_attr, combiner, destination in zip(
                generic.res, generic.output_maps, generic.combiners, into, strict=True
            )
        ]
        return cls(generic.bounds, inputs, outputs, list(generic.at))

    @property
    def ranges(self) -> tuple[Range, ...]:
        """The ranges of the loop dimensions."""
        return extent_ranges(self.bounds)

    def with_symbols(self, affine_map: AffineMap, at: Sequence[SSAValue]) -> AffineMap:
        """A map whose symbols stand for the values `at` as one whose symbols are this generic's, which get them all."""
        for value in at:
            if value not in self.at:
                self.at.append(value)
        dims = [AffineExpr.dimension(dim) for dim in range(affine_map.num_dims)]
        symbols = [AffineExpr.symbol(self.at.index(value)) for value in at]
        return affine_map.replace_dims_and_symbols(dims, symbols, affine_map.num_dims, len(self.at))

    def build(self, original: GenericOp) -> GenericOp:
        """A generic of these parts with the body, attributes and location of the original, which loses its body."""
        maps = [AffineMapAttr(self._widened(part.map)) for part in (*self.inputs, *self.outputs)]
        is_padded = any(not isinstance(part.pad, UnitAttr) for part in self.inputs)
        new = GenericOp(
            self.bounds,
            maps,
            [part.value for part in self.inputs],
            [part.type for part in self.outputs],
            Rewriter.move_region_contents_to_new_regions(original.body),
            reduce=[part.combiner for part in self.outputs],
            pad=[part.pad for part in self.inputs] if is_padded else None,
            into=[part.into for part in self.outputs if part.into is not None],
            at=self.at,
        )
        new.attributes = dict(original.attributes)
        new.location = original.location
        return new

    def _widened(self, affine_map: AffineMap) -> AffineMap:
        # Symbols are only ever added behind those that a map has.
        return AffineMap(affine_map.num_dims, len(self.at), affine_map.results)
