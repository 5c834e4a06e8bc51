"""Mutations of memory: offsets of buffers, which buffer a run takes, what is pinned."""

from typing import cast

from xdsl.dialects.builtin import AffineMapAttr
from xdsl.ir import Block, SSAValue
from xdsl.ir.affine import AffineConstantExpr, AffineExpr, AffineMap

from rammer_ir.dialects.rtask import BoxAttr
from rammer_ir.dialects.vdevice import BufferOp, PinOp, RunOp, WeightOp
from rammer_ir.testing.mutants.sites import Mutation, Surgery, replaced, text_of

ALIGNED = 256


def overlap_buffers(surgery: Surgery) -> str | None:
    """A buffer begins where another does."""
    buffer = surgery.any(BufferOp, lambda op: op.offset is not None)
    if buffer is None:
        return None
    other = surgery.any(BufferOp, lambda op: op.offset not in (None, buffer.offset))
    if other is None or other.offset is None:
        return None
    buffer.offset = other.offset
    return f"two buffers at byte {other.offset}"


def shift_buffer(surgery: Surgery) -> str | None:
    """A buffer lies a little lower or higher in the arena."""
    buffer = surgery.any(BufferOp, lambda op: op.offset is not None)
    if buffer is None or buffer.offset is None:
        return None
    offset = buffer.offset + surgery.number(1, 4) * ALIGNED * (surgery.choose([-1, 1]) or 1)
    if offset < 0:
        return None
    buffer.offset = offset
    return f"a buffer at byte {offset}"


def other_buffer(surgery: Surgery) -> str | None:
    """A run reads or writes another memory of the same type."""
    run = surgery.any(RunOp)
    if run is None:
        return None
    operands: list[SSAValue] = [*run.inputs, *run.outputs]
    place = surgery.number(0, len(operands) - 1)
    value = operands[place]
    known = [*surgery.program.tensors, *(op.results[0] for op in surgery.ops(BufferOp))]
    other = surgery.choose([memory for memory in known if memory.type == value.type and memory is not value])
    if other is None:
        return None
    operands[place] = other
    inputs = len(run.inputs)
    new = replaced(run, inputs=operands[:inputs], outputs=operands[inputs:])
    return f"operand {place} of {text_of(new)}"


def pin_elsewhere(surgery: Surgery) -> str | None:
    """A vEU pins another part of a weight."""
    pin = surgery.any(PinOp)
    if pin is None:
        return None
    origin = pin.box.origin.data
    results = list(origin.results)
    dim = (
        surgery.choose([number for number, result in enumerate(results) if not isinstance(result, AffineConstantExpr)])
        or 0
    )
    veu = AffineExpr.dimension(0)
    size = pin.box.sizes[dim]
    changes: list[AffineExpr] = [
        results[dim] + 1,
        results[dim] + size,
        results[dim] + -size,
        AffineExpr.constant(0),
        results[dim] + veu * -1,
    ]
    results[dim] = surgery.choose(changes) or results[dim]
    _replace_pin(pin, pin.weight, BoxAttr(AffineMapAttr(AffineMap(1, 0, tuple(results))), pin.box.sizes))
    return f"dimension {dim}"


def pin_more(surgery: Surgery) -> str | None:
    """A vEU pins a larger part of a weight."""
    pin = surgery.any(PinOp)
    if pin is None:
        return None
    shape = cast("WeightOp", pin.weight.owner).result.type.get_shape()
    dim = surgery.choose([number for number, size in enumerate(pin.box.sizes) if size < shape[number]])
    if dim is None:
        return None
    sizes = list(pin.box.sizes)
    sizes[dim] = surgery.choose([sizes[dim] + 1, shape[dim]]) or shape[dim]
    results = list(pin.box.origin.data.results)
    if sizes[dim] == shape[dim]:
        results[dim] = AffineExpr.constant(0)
    _replace_pin(pin, pin.weight, BoxAttr(AffineMapAttr(AffineMap(1, 0, tuple(results))), sizes))
    return f"{sizes[dim]} of dimension {dim}"


def pin_other_weight(surgery: Surgery) -> str | None:
    """Another weight of the same type is pinned."""
    pin = surgery.any(PinOp)
    if pin is None:
        return None
    weights = [op.result for op in surgery.ops(WeightOp) if op.result.type == pin.weight.type]
    other = surgery.choose([weight for weight in weights if weight is not pin.weight])
    if other is None:
        return None
    _replace_pin(pin, other, pin.box)
    return "another weight"


def _replace_pin(pin: PinOp, weight: SSAValue, box: BoxAttr) -> None:
    block = cast("Block", pin.parent)
    new = PinOp(weight, box)
    block.insert_op_before(new, pin)
    pin.result.replace_all_uses_with(new.result)
    pin.detach()
    pin.erase()


MEMORY: dict[str, Mutation] = {
    "overlap buffers": overlap_buffers,
    "shift a buffer": shift_buffer,
    "another buffer": other_buffer,
    "pin another part": pin_elsewhere,
    "pin more": pin_more,
    "pin another weight": pin_other_weight,
}
