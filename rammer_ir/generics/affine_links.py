"""Element-wise generics that multiply a tensor by weights and add weights."""

from collections.abc import Iterator
from dataclasses import dataclass

from xdsl.dialects import arith
from xdsl.dialects.builtin import AnyFloat, UnitAttr
from xdsl.ir import SSAValue
from xdsl.ir.affine import AffineMap
from xdsl.traits import is_side_effect_free

from rammer_ir.dialects.rop import GenericOp, GetWeightOp, IndexOp, YieldOp, tensor_type


@dataclass(frozen=True)
class AffineLink:
    """
    A generic that computes `x * factor + addend` element by element; factor and addend depend on weights alone.

    `operand` is the number of x among the inputs. The other inputs are weights.
    """

    generic: GenericOp
    operand: int

    @classmethod
    def of(cls, generic: GenericOp) -> "AffineLink | None":
        """The generic as a link; None if it is none."""
        tensors = [number for number, value in enumerate(generic.inputs) if not isinstance(value.owner, GetWeightOp)]
        if len(tensors) != 1 or len(generic.res) != 1 or generic.into or generic.at or generic.extracted:
            return None
        link = cls(generic, tensors[0])
        identity = AffineMap.identity(len(generic.bounds))
        is_plain = (
            generic.input_maps[link.operand].data == identity
            and generic.output_maps[0].data == identity
            and generic.res[0].type == link.x.type
            and isinstance(tensor_type(link.x).element_type, AnyFloat)
            and all(isinstance(pad, UnitAttr) for pad in generic.pads)
        )
        return link if is_plain and link.scales is not None else None

    @property
    def x(self) -> SSAValue:
        return self.generic.inputs[self.operand]

    @property
    def weights(self) -> Iterator[tuple[SSAValue, AffineMap, SSAValue]]:
        """For every input but x: the weight, the map by which it is read, and the body's argument."""
        generic = self.generic
        parts = zip(generic.inputs, generic.input_maps, generic.body.block.args, strict=True)
        return (
            (value, read.data, argument)
            for number, (value, read, argument) in enumerate(parts)
            if number != self.operand
        )

    @property
    def scales(self) -> bool | None:
        """Whether the factor is not 1; None if the body is no affine function of x."""
        block = self.generic.body.block
        varying: set[SSAValue] = {block.args[self.operand]}
        scales = False
        for op in block.ops:
            if not any(operand in varying for operand in op.operands):
                if isinstance(op, IndexOp) or not (isinstance(op, YieldOp) or is_side_effect_free(op)):
                    return None
                continue
            match op:
                case YieldOp():
                    return scales
                case arith.AddfOp():
                    scales |= all(operand in varying for operand in op.operands)
                case arith.SubfOp():
                    scales |= op.rhs in varying
                case arith.MulfOp() if not all(operand in varying for operand in op.operands):
                    scales = True
                case arith.DivfOp() if op.rhs not in varying:
                    scales = True
                case arith.NegfOp():
                    scales = True
                case _:
                    return None
            varying.add(op.results[0])
        return None
