"""Interpolation along one dimension: which elements make up each element of the result, and with which weights."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Kernel = Callable[[Floats], Floats]


@dataclass(frozen=True)
class AxisTaps:
    """
    Element i of the result is the sum of `weights[i, t]` times element `places[i, t]`, both [outputs, taps].

    Where `outside[i]`, it is the value for what lies outside instead.
    """

    places: Integers
    weights: Floats
    outside: NDArray[np.bool_]


@dataclass(frozen=True)
class Interpolation:
    """How ONNX's Resize interpolates: its attributes of the same names."""

    mode: str = "nearest"
    nearest_mode: str = "round_prefer_floor"
    coordinate_transformation_mode: str = "half_pixel"
    cubic_coeff_a: float = -0.75
    exclude_outside: bool = False
    antialias: bool = False

    def taps(self, extent: int, outputs: int, scale: float, region: tuple[float, float]) -> AxisTaps:
        """
        The taps for `outputs` elements of a dimension of `extent`, `scale` times as many; `region` is the part cropped.

        Raises ValueError for modes that are not known.
        """
        places = self._places(extent, outputs, scale, region)
        whole: Floats = np.floor(places)
        # An element that lies on one of the operand counts as the right end of the interval before it.
        is_on: Floats = (places == whole).astype(np.float64)
        weights = self._weights(places - whole + is_on, scale)
        count = weights.shape[1]
        first: Integers = np.asarray(whole - is_on - (count // 2 - 1), np.int64)
        neighbours: Integers = np.asarray([first + step for step in range(count)], np.int64).T
        if self.exclude_outside:
            is_inside = np.asarray((neighbours >= 0) & (neighbours < extent), np.float64)
            weights = _normalized(weights * is_inside)
        if self.mode == "nearest":
            neighbours = np.take_along_axis(neighbours, np.argmax(weights, axis=1, keepdims=True), axis=1)
            weights = np.ones((outputs, 1))
        is_crop = self.coordinate_transformation_mode == "tf_crop_and_resize"
        outside = (places < 0) | (places > extent - 1) if is_crop else np.zeros(outputs, np.bool_)
        return AxisTaps(np.clip(neighbours, 0, extent - 1), weights, outside)

    def _places(self, extent: int, outputs: int, scale: float, region: tuple[float, float]) -> Floats:
        """Where in the operand the elements of the result lie."""
        x = np.arange(outputs, dtype=np.float64)
        length = scale * extent
        match self.coordinate_transformation_mode:
            case "asymmetric":
                return x / scale
            case "half_pixel":
                return (x + 0.5) / scale - 0.5
            case "pytorch_half_pixel":
                return np.full(outputs, -0.5) if length == 1 else (x + 0.5) / scale - 0.5
            case "half_pixel_symmetric":
                return extent / 2 * (1 - outputs / length) + (x + 0.5) / scale - 0.5
            case "align_corners":
                return x * 0.0 if length == 1 else x * (extent - 1) / (length - 1)
            case "tf_crop_and_resize":
                start, end = region
                span = (end - start) * (extent - 1)
                inside = np.full(outputs, span / 2) if length == 1 else x * span / (length - 1)
                return inside + start * (extent - 1)
            case other:
                raise ValueError(f"coordinate_transformation_mode {other!r} is not known")

    def _weights(self, ratios: Floats, scale: float) -> Floats:
        """The weights of the neighbours, by where an element lies between the two in the middle: [outputs, taps]."""
        match self.mode:
            case "nearest":
                return self._nearest(ratios)
            case "linear":
                return _spread(ratios, scale, 1, lambda x: np.clip(1 - np.abs(x), 0, 1), widen=self.antialias)
            case "cubic":
                return _spread(ratios, scale, 2, self._cubic, widen=self.antialias)
            case other:
                raise ValueError(f"mode {other!r} is not known")

    def _nearest(self, ratios: Floats) -> Floats:
        is_right = {
            "round_prefer_floor": ratios > 0.5,
            "round_prefer_ceil": ratios >= 0.5,
            "floor": ratios == 1,
            "ceil": ratios > 0,
        }
        if self.nearest_mode not in is_right:
            raise ValueError(f"nearest_mode {self.nearest_mode!r} is not known")
        right = is_right[self.nearest_mode]
        return np.stack([~right, right], axis=1).astype(np.float64)

    def _cubic(self, distance: Floats) -> Floats:
        """Keys' cubic convolution (IEEE Trans. ASSP 29, 1981)."""
        a, x = self.cubic_coeff_a, np.abs(distance)
        near = ((a + 2) * x - (a + 3)) * x * x + 1
        far = ((a * x - 5 * a) * x + 8 * a) * x - 4 * a
        return np.where(x <= 1, near, np.where(x < 2, far, 0.0))


def _spread(ratios: Floats, scale: float, reach: int, kernel: Kernel, *, widen: bool) -> Floats:
    """A kernel at the neighbours; where the result has fewer elements and `widen`, it is as wide as they lie apart."""
    narrow = min(scale, 1.0) if widen else 1.0
    first = int(np.floor(-reach / narrow)) + 1
    # The neighbours lie symmetrically around the interval from 0 to 1.
    steps = np.arange(first, 2 - first)
    weights = kernel((steps[np.newaxis] - ratios[:, np.newaxis]) * narrow)
    return _normalized(weights) if widen else weights


def _normalized(weights: Floats) -> Floats:
    """Weights that sum to 1 for each element, unless they are all 0."""
    total: Floats = weights.sum(axis=1, keepdims=True)
    total[total == 0] = 1.0
    return weights / total
