"""Reading a model's file."""

import mmap
from pathlib import Path

import onnx
from google.protobuf.message import DecodeError

from rammer_ir.errors import InvalidInputError
from rammer_ir.frontend.inline_data import without_inline_data
from rammer_ir.frontend.limits import MOST_MODEL_FILE_BYTES


def read_model_file(path: Path) -> onnx.ModelProto:
    """
    The model in an ONNX file; its external data is not read, and large weights in the file become external data too.

    Raises InvalidInputError if the file is absent, unreadable, too large or no ONNX model.
    """
    model = onnx.ModelProto()
    try:
        with path.open("rb") as file:
            size = path.stat().st_size
            if size > MOST_MODEL_FILE_BYTES:
                raise InvalidInputError(
                    f"{size} bytes are too many for an ONNX file (at most {MOST_MODEL_FILE_BYTES}): "
                    "save its weights as external data",
                    location=str(path),
                )
            if size == 0:
                raise InvalidInputError("not an ONNX model: the file is empty", location=str(path))
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped, memoryview(mapped) as view:
                model.ParseFromString(_without_weights(view, path))
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else None
        raise InvalidInputError(f"cannot read the model: {reason or error}", location=str(path)) from error
    except DecodeError as error:
        raise InvalidInputError("not an ONNX model, or a damaged one", location=str(path)) from error
    if not model.HasField("graph"):
        raise InvalidInputError("not an ONNX model: it has no graph", location=str(path))
    return model


def _without_weights(view: memoryview, path: Path) -> bytes:
    """The file's bytes with references to its large weights, if it is where it seems to be; else all of them."""
    if path.resolve().parent != path.parent.resolve():
        return bytes(view)
    try:
        return without_inline_data(view, path.resolve().name)
    except ValueError as error:
        raise DecodeError(str(error)) from error
