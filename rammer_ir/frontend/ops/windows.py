"""Windows that slide over the spatial dimensions of convolutions and pooling: strides, dilations, padding."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from xdsl.ir.affine import AffineExpr

from rammer_ir.frontend.node import Node


@dataclass(frozen=True)
class Window:
    """
    A window over one dimension of `extent` elements: `size` elements, `dilation` apart, moved by `stride`.

    Output i starts at `i * stride - before`. `after` is the padding behind the last element.
    """

    extent: int
    size: int
    stride: int
    dilation: int
    before: int
    after: int
    outputs: int

    @property
    def reach(self) -> int:
        """The elements from the window's first to its last, both included."""
        return (self.size - 1) * self.dilation + 1

    @property
    def leaves_range(self) -> bool:
        """Whether some output reads an element that is not there."""
        return self.before > 0 or (self.outputs - 1) * self.stride - self.before + self.reach > self.extent

    def index(self, output: AffineExpr, tap: AffineExpr) -> AffineExpr:
        """Where a tap of the window of an output reads."""
        return output * self.stride + tap * self.dilation - self.before

    def counts(self, *, with_padding: bool) -> NDArray[np.int64]:
        """For every output the taps that read an element, or (`with_padding`) an element or padding."""
        low = -self.before if with_padding else 0
        high = self.extent + (self.after if with_padding else 0)
        starts = np.arange(self.outputs, dtype=np.int64) * self.stride - self.before
        first = np.maximum(0, -((starts - low) // self.dilation))
        last = np.minimum(self.size - 1, (high - 1 - starts) // self.dilation)
        return np.maximum(0, last - first + 1)


def sliding_windows(node: Node, extents: Sequence[int], sizes: Sequence[int], outputs: Sequence[int]) -> list[Window]:
    """
    The windows of a node over spatial dimensions of the given extents, by its attributes and its inferred outputs.

    Raises UnsupportedModelError for attributes that make no sense.
    """
    rank = len(extents)
    strides = node.integers_or("strides", [1] * rank)
    dilations = node.integers_or("dilations", [1] * rank)
    pads = node.integers_or("pads", [0] * (2 * rank))
    if len(sizes) != rank or len(outputs) != rank:
        raise node.error(f"has a kernel of {len(sizes)} dimensions for {rank} spatial ones")
    if any(item <= 0 for item in (*strides, *dilations, *sizes, *outputs)) or any(pad < 0 for pad in pads):
        raise node.error("has strides, dilations, a kernel or pads that are out of range")
    mode = node.string("auto_pad", "NOTSET")
    windows: list[Window] = []
    for dim, (extent, size, outs) in enumerate(zip(extents, sizes, outputs, strict=True)):
        stride, dilation = strides[dim], dilations[dim]
        before, after = pads[dim], pads[rank + dim]
        if mode != "NOTSET":
            before, after = _automatic_padding(node, mode, extent, (size - 1) * dilation + 1, stride)
        windows.append(Window(extent, size, stride, dilation, before, after, outs))
    return windows


def _automatic_padding(node: Node, mode: str, extent: int, reach: int, stride: int) -> tuple[int, int]:
    if mode == "VALID":
        return 0, 0
    if mode not in ("SAME_UPPER", "SAME_LOWER"):
        raise node.error(f"has an auto_pad that is not known: {mode!r}")
    total = max(0, (-(-extent // stride) - 1) * stride + reach - extent)
    return (total // 2, total - total // 2) if mode == "SAME_UPPER" else (total - total // 2, total // 2)
