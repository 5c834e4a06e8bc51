"""Random inputs for a program."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rammer_ir.dtypes import NARROW_FLOATS
from rammer_ir.runtime.program_image import Binding

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def random_inputs(bindings: Sequence[Binding], seed: int) -> "dict[str, NDArray[np.generic]]":
    """
    An array for each binding, by name: floats from a standard normal distribution, integers 0 and 1.

    The same seed gives the same arrays.
    """
    import numpy as np

    generator = np.random.default_rng(seed)
    arrays: dict[str, NDArray[np.generic]] = {}
    for binding in bindings:
        dtype = binding.element_dtype
        is_float = np.issubdtype(dtype, np.floating) or binding.dtype in NARROW_FLOATS
        values = generator.standard_normal(binding.shape) if is_float else generator.integers(0, 2, binding.shape)
        arrays[binding.name] = values.astype(dtype)
    return arrays
