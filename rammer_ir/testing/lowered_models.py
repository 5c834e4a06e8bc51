"""Models through a pipeline: what `rammer_ir.compile` does before it builds, for tests that look at the parts."""

from dataclasses import dataclass

import numpy as np
import onnx
from numpy.typing import NDArray
from xdsl.dialects.builtin import ModuleOp

from rammer_ir.context import new_context
from rammer_ir.frontend.onnx_importer import import_model
from rammer_ir.lowering.emission.encode_program import encode
from rammer_ir.pass_pipeline import parse_pass_pipeline, run_passes
from rammer_ir.runtime.program_image import ProgramImage
from rammer_ir.weights.arrangement import arrange_weights
from rammer_ir.weights.store import WeightStore


@dataclass(frozen=True)
class LoweredModel:
    """A model's module after a pipeline, and its weights without derived ones."""

    module: ModuleOp
    weights: WeightStore

    def encode(self) -> tuple[ProgramImage, NDArray[np.uint8]]:
        """The image of the module, which is at the `vdevice` level, and the arena of its weights."""
        image = encode(self.module)
        return image, arrange_weights(self.module, self.weights, image.weights, image.weight_bytes)


def lower_model(model: onnx.ModelProto, pipeline: str) -> LoweredModel:
    """Imports a model and runs a pipeline such as `"set-device{device=host veus=3},persistent"` over it."""
    imported = import_model(model)
    run_passes(new_context(), imported.module, parse_pass_pipeline(pipeline))
    return LoweredModel(imported.module, imported.weights)
