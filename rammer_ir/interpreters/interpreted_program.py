"""A program that is interpreted: right but slow, for machines without a C++ compiler."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from xdsl.dialects.builtin import ModuleOp

from rammer_ir.interpreters.vdevice import run_module
from rammer_ir.runtime.bindings import check_names, host_array, scalar_values, visible_shape
from rammer_ir.runtime.interface import Measurement
from rammer_ir.runtime.program_image import ProgramImage
from rammer_ir.runtime.wall_time import measure_wall_time


class InterpretedProgram:
    """
    A :class:`LoadedProgram` that walks the text of a program at the `vdevice` level.

    `weights` gives every weight that is not derived, `image` the forms of inputs and outputs.
    """

    def __init__(self, image: ProgramImage, module: ModuleOp, weights: Mapping[str, NDArray[Any]]) -> None:
        self._image = image
        self._module = module
        self._weights = weights

    def run(self, inputs: Mapping[str, object]) -> dict[str, NDArray[Any]]:
        """Run once and return the outputs by name; raises InvalidInputError for wrong inputs."""
        image = self._image
        check_names(image, inputs)
        arrays = {binding.name: host_array(binding, inputs[binding.name]) for binding in image.inputs}
        shapes = {name: array.shape for name, array in arrays.items()}
        lengths = dict(zip(image.scalars, scalar_values(image, shapes, inputs), strict=True))
        full = {binding.name: _padded(arrays[binding.name], binding.shape) for binding in image.inputs}
        outputs = run_module(
            self._module, full | {k: np.asarray(v) for k, v in lengths.items()}, self._weights, entry=image.name
        )
        return {
            binding.name: output[tuple(map(slice, visible_shape(binding, lengths)))]
            for binding, output in zip(image.outputs, outputs, strict=True)
        }

    def measure(self, inputs: Mapping[str, object], *, runs: int = 1, warmup: int = 0) -> Measurement:
        """Time `runs` runs on the same inputs, after `warmup` runs that do not count."""
        return measure_wall_time(lambda: self.run(inputs), runs=runs, warmup=warmup)

    def close(self) -> None:
        """Nothing is held."""


def _padded(array: NDArray[Any], shape: tuple[int, ...]) -> NDArray[Any]:
    """The array, with zero rows up to the declared maximum of its length."""
    if array.shape == shape:
        return array
    full = np.zeros(shape, array.dtype)
    full[: array.shape[0]] = array
    return full
