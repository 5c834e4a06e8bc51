"""DFT and STFT."""

from collections.abc import Sequence
from math import prod

from xdsl.dialects.builtin import TensorType

from rammer_ir.frontend import scalars
from rammer_ir.frontend.generics import Read, Write
from rammer_ir.frontend.graph_builder import GraphBuilder
from rammer_ir.frontend.indices import loop_dims
from rammer_ir.frontend.node import Node
from rammer_ir.frontend.ops.fourier_transform import real_inverse, transform
from rammer_ir.frontend.ops.views import reshaped
from rammer_ir.frontend.registry import onnx_op
from rammer_ir.frontend.value import Value


@onnx_op("DFT", since=17, until=19)
def dft_by_attribute(node: Node, build: GraphBuilder) -> Value:
    """The transform along a dimension that an attribute says."""
    return _dft(node, build, node.axis("axis", 1, node.input(0).rank))


@onnx_op("DFT", since=20)
def dft_by_input(node: Node, build: GraphBuilder) -> Value:
    """The transform along a dimension that a constant says."""
    axis = node.optional_integers(2, "axis")
    if axis is not None and len(axis) != 1:
        raise node.error("needs one axis")
    return _dft(node, build, node.normal_axis(-2 if axis is None else axis[0], node.input(0).rank))


def _dft(node: Node, build: GraphBuilder, axis: int) -> Value:
    operand = node.input(0)
    if operand.rank < 2 or axis == operand.rank - 1 or operand.shape[-1] not in (1, 2):
        raise node.error(f"has an input of shape {list(operand.shape)} for a transform along dimension {axis}")
    is_inverse, is_half = node.integer("inverse", 0) != 0, node.integer("onesided", 0) != 0
    extent = operand.shape[axis]
    length = _number(node, 1, "dft_length")
    if length is None:
        length = 2 * (extent - 1) if is_inverse and is_half else extent
    if length <= 0:
        raise node.error(f"has a length of {length}")
    before, behind = operand.shape[:axis], operand.shape[axis + 1 : -1]
    value = reshaped(build, operand, (prod(before), extent, prod(behind), operand.shape[-1]))
    if is_inverse and is_half:
        result = real_inverse(build, value, length)
    else:
        result = transform(build, value, length, length // 2 + 1 if is_half else length, inverse=is_inverse)
    return reshaped(build, result, (*before, result.shape[1], *behind, result.shape[3]))


def _number(node: Node, position: int, what: str) -> int | None:
    given = node.optional_integers(position, what)
    if given is not None and len(given) != 1:
        raise node.error(f"needs one number as {what}")
    return None if given is None else given[0]


@onnx_op("STFT", since=17)
def stft(node: Node, build: GraphBuilder) -> Value:
    """Transforms of windows of a signal [B, length, parts], a step apart: [B, windows, frequencies, 2]."""
    signal, window = node.input(0), node.optional_input(2)
    step, length = _number(node, 1, "frame_step"), _number(node, 3, "frame_length")
    if length is None:
        length = signal.shape[1] if window is None else window.shape[0]
    if signal.rank != 3 or signal.shape[2] not in (1, 2) or step is None or step <= 0:
        raise node.error("needs a signal [batch, length, 1 or 2] and a positive frame_step")
    if not 0 < length <= signal.shape[1] or (window is not None and window.shape != (length,)):
        raise node.error(f"has windows of {length} elements of a signal of {signal.shape[1]}")
    frames = _frames(build, signal, window, step, length)
    kept = length // 2 + 1 if node.integer("onesided", 1) != 0 else length
    result = transform(build, frames, length, kept, inverse=False)
    return reshaped(build, result, (signal.shape[0], frames.shape[0] // signal.shape[0], kept, 2))


def _frames(build: GraphBuilder, signal: Value, window: Value | None, step: int, length: int) -> Value:
    """The windows one after the other, [B * windows, length, 1, parts]."""
    batch, extent, parts = signal.shape
    shape = (batch, 1 + (extent - length) // step, length, parts)
    image, frame, item, part = dims = loop_dims(4)
    reads = [Read(build.read(signal), [image, frame * step + item, part])]
    weights: Sequence[Read] = [] if window is None else [Read(build.read(window), [item])]
    write = Write(TensorType(signal.element_type, shape), dims)
    (frames,) = build.generic(
        shape, [*reads, *weights], [write], scalars.multiply if weights else lambda element: element
    )
    return reshaped(build, frames, (batch * shape[1], length, 1, parts))
