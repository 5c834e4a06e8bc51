"""Random inputs for a program."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rammer_ir.dtypes import NARROW_FLOATS
from rammer_ir.errors import InvalidInputError
from rammer_ir.runtime.program_image import Binding

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def _example(binding: Binding) -> str:
    return f"--shape {binding.name}={'x'.join(str(extent if extent > 0 else 1) for extent in binding.shape)}"


def random_inputs(bindings: Sequence[Binding], seed: int) -> "dict[str, NDArray[np.generic]]":
    """
    An array for each binding, by name: floats from a standard normal distribution, integers 0 and 1.

    The same seed gives the same arrays. Raises InvalidInputError for extents that vary, and for strings.
    """
    import numpy as np

    generator = np.random.default_rng(seed)
    arrays: dict[str, NDArray[np.generic]] = {}
    for binding in bindings:
        if any(extent < 0 for extent in binding.shape):
            raise InvalidInputError(
                f"input {binding.name!r} has extents that vary: fix them, as in {_example(binding)}"
            )
        if binding.dtype == "object":
            raise InvalidInputError(f"input {binding.name!r} takes strings, of which there are no random ones")
        dtype = binding.element_dtype
        is_float = np.issubdtype(dtype, np.floating) or binding.dtype in NARROW_FLOATS
        values = generator.standard_normal(binding.shape) if is_float else generator.integers(0, 2, binding.shape)
        arrays[binding.name] = values.astype(dtype)
    return arrays
