"""ImageDecoder, where Pillow is installed."""

import io
from collections.abc import Sequence
from importlib import import_module
from typing import Any

import numpy as np

from rammer_ir.errors import UnsupportedModelError
from rammer_ir.frontend.names import quoted
from rammer_ir.host_function.registry import HostNode, host_op
from rammer_ir.host_function.values import HostValue


@host_op("ImageDecoder", always=True)
def decode_image(node: HostNode, inputs: Sequence[HostValue]) -> Sequence[HostValue]:
    """The pixels of an encoded image, uint8 of shape [height, width, channels]."""
    try:
        images: Any = import_module("PIL.Image")
    except ImportError as error:
        raise UnsupportedModelError(
            "ImageDecoder needs Pillow, which is not installed: pip install pillow",
            location=f"node {quoted(node.label)}",
        ) from error
    pixel_format = node.attributes.get("pixel_format", "RGB")
    with images.open(io.BytesIO(np.asarray(inputs[0], np.uint8).tobytes())) as image:
        pixels = np.asarray(image.convert("L" if pixel_format == "Grayscale" else "RGB"))
    if pixel_format == "Grayscale":
        return [pixels[:, :, np.newaxis]]
    return [np.ascontiguousarray(pixels[:, :, ::-1]) if pixel_format == "BGR" else pixels]
