"""Named pipelines: a strategy is a tuple of passes, not a flag that passes ask for."""

from typing import Final

PIPELINES: dict[str, tuple[str, ...]] = {
    "optimize-rop": (
        "fold-scales",
        "materialize-scan-state",
        "absorb-views",
        "write-in-place",
        "channels-last",
        "order-weights",
        "split-dimensions",
        "fuse-operators",
    ),
    "schedule-tasks": (
        "tile",
        "split-reductions",
        "convert-rop-to-rtask",
        "annotate-costs",
        "select-kernels",
        "convert-contraction-to-vectors",
        "convert-contraction-to-block",
        "convert-matrix-vector-to-block",
        "convert-generic-to-loops",
        "convert-generic-to-block",
        "schedule-wavefront",
    ),
    "base": (
        "optimize-rop",
        "schedule-tasks",
        "convert-rtask-to-vdevice",
        "split-launches",
        "plan-memory",
        "verify-program",
    ),
    "wave": (
        "sink-into-scan",
        "optimize-rop",
        "schedule-tasks",
        "convert-rtask-to-vdevice",
        "unroll-loops",
        "group-waves",
        "fit-launches",
        "plan-memory",
        "verify-program",
    ),
    "graph": (
        "optimize-rop",
        "schedule-tasks",
        "convert-rtask-to-vdevice",
        "unroll-loops",
        "split-launches",
        "fit-launches",
        "order-launches",
        "plan-memory",
        "verify-program",
    ),
    "persistent": (
        "optimize-rop",
        "schedule-tasks",
        "convert-rtask-to-vdevice",
        "insert-barriers",
        "plan-memory",
        "verify-program",
    ),
    "events": (
        "optimize-rop",
        "schedule-tasks",
        "convert-rtask-to-vdevice",
        "place-tasks",
        "insert-barriers",
        "plan-memory{barriers=6}",
        "relax-barriers",
        "verify-program",
    ),
    "resident": (
        "sink-into-scan",
        "separate-scan-results",
        "optimize-rop",
        "cut-recurrences",
        "schedule-tasks",
        "convert-rtask-to-vdevice",
        "approximate-activations",
        "group-scans",
        "insert-barriers",
        "pin-weights",
        "exchange-words",
        "convert-recurrence-to-block",
        "convert-generic-to-loops",
        "budget-launches",
        "plan-memory",
        "verify-program",
    ),
}
"""
Name to passes with their options, or other named pipelines, as in `rammer-opt -p`.

A strategy takes a model at the `rop` level whose module has a device (pass `set-device`) to a proved program. `base`:
a launch for every rOperator, loops on the host. `wave`: a launch for every wave, recurrences unrolled into waves.
`graph`: the launches of `base`, recurrences unrolled, each after those that it depends on, submitted as one graph.
`persistent`: one launch with a barrier between waves. `events`: one launch in which tasks wait for single tasks.
`resident`: launches for recurrences, whose weights stay on the vEUs that use them; all else as `persistent`.
"""

STRATEGIES: Final = ("base", "wave", "graph", "persistent", "events", "resident")
"""The pipelines that a user may choose as the strategy of a program."""

DEFAULT_STRATEGY: Final = "persistent"

PRECISIONS: Final = ("fp32", "tf32", "3xtf32")
"""How exactly products of float32 numbers may be computed: options of the pass `set-precision`."""

DEFAULT_PRECISION: Final = "fp32"
