"""Comparison of results with an independent runtime."""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from rammer_ir.errors import InvalidInputError, RammerError

if TYPE_CHECKING:
    import numpy as np
    import onnx
    from numpy.typing import NDArray

RELATIVE_TOLERANCES = {"fp32": 1e-4, "3xtf32": 1e-4, "tf32": 1e-2}
"""Largest relative error of float32 results that still counts as agreement, by precision."""


@dataclass(frozen=True)
class Comparison:
    """
    The largest relative error over all outputs, and whether it is within the tolerance.

    The error of an output is the norm of the difference over the norm of the reference; NaN never agrees.
    """

    largest_error: float
    is_close: bool


def compare(
    outputs: "Mapping[str, NDArray[np.generic]]",
    reference: "Mapping[str, NDArray[np.generic]]",
    precision: str = "fp32",
) -> Comparison:
    """How far outputs are from a reference with the same names; raises InvalidInputError for another shape."""
    import numpy as np

    errors: list[float] = []
    for name, wanted in reference.items():
        found = outputs[name]
        if found.shape != wanted.shape:
            raise InvalidInputError(f"output '{name}' has shape {found.shape}, the reference has {wanted.shape}")
        exact = wanted.astype(np.float64)
        difference = float(np.linalg.norm(found.astype(np.float64) - exact))
        norm = float(np.linalg.norm(exact))
        errors.append(difference / norm if norm else difference)
    largest = float(np.max(errors))
    return Comparison(largest, bool(largest <= RELATIVE_TOLERANCES[precision]))


def run_onnxruntime(
    model: "str | Path | onnx.ModelProto", inputs: "Mapping[str, NDArray[np.generic]]"
) -> "dict[str, NDArray[np.generic]]":
    """The outputs of onnxruntime on the CPU; raises RammerError if it is not installed or cannot run the model."""
    try:
        onnxruntime = cast("Any", import_module("onnxruntime"))
    except ModuleNotFoundError as error:
        raise RammerError(
            "onnxruntime is not installed, and --check compares with it: pip install onnxruntime"
        ) from error
    source = str(model) if isinstance(model, str | Path) else model.SerializeToString()
    try:
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        session = onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])
        names = [output.name for output in session.get_outputs()]
        return dict(zip(names, session.run(names, dict(inputs)), strict=True))
    except Exception as error:
        text = " ".join(str(error).split())
        raise RammerError(f"onnxruntime cannot run the model: {text}") from error
