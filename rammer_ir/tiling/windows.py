"""Windows: what is read along a task dimension for neighbouring elements of the result."""

from rammer_ir.dialects.rop import GenericOp, OperatorOp
from rammer_ir.indexing.linear import linear_form
from rammer_ir.tiling.task_dimensions import generics_of, task_dimensions


def windows_of(operator: OperatorOp) -> tuple[tuple[int, int], ...]:
    """For each task dimension, the distance between the windows of neighbouring elements and their length."""
    return tuple(
        max(
            (_window(generic, dim) for generic, dim in zip(generics_of(operator), dimension.loops, strict=True)),
            key=lambda window: window[1],
        )
        for dimension in task_dimensions(operator)
    )


def _window(generic: GenericOp, dim: int) -> tuple[int, int]:
    """The longest window that a generic's inputs have along a loop: distance and length, in elements of the input."""
    reduced = set(generic.reduction_dims())
    windows = [(1, 1)]
    for read_map in generic.input_maps:
        for result in read_map.data.results:
            form = linear_form(result)
            if form is None or dim not in form.dims:
                continue
            taps = {tap: by for tap, by in form.dims.items() if tap in reduced}
            length = 1 + sum(abs(by) * (generic.bounds[tap] - 1) for tap, by in taps.items())
            windows.append((abs(form.dims[dim]), length))
    return max(windows, key=lambda window: window[1])
