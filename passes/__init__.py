"""The passes, one file each, in a folder per level. A pass stays on its level and records decisions in the IR."""

from collections.abc import Callable

from xdsl.passes import ModulePass

from rammer_ir.registry import lazy_class

if __name__ == "passes":
    raise ImportError("import rammer_ir.passes instead: a second copy of an op class is another op")

PASSES: dict[str, str] = {
    "absorb-views": "rammer_ir.passes.rop.absorb_views:AbsorbViews",
    "cut-recurrences": "rammer_ir.passes.rop.cut_recurrences:CutRecurrences",
    "fold-scales": "rammer_ir.passes.rop.fold_scales:FoldScales",
    "channels-last": "rammer_ir.passes.rop.channels_last:ChannelsLast",
    "fuse-operators": "rammer_ir.passes.rop.fuse_operators:FuseOperators",
    "materialize-scan-state": "rammer_ir.passes.rop.materialize_scan_state:MaterializeScanState",
    "sink-into-scan": "rammer_ir.passes.rop.sink_into_scan:SinkIntoScan",
    "separate-scan-results": "rammer_ir.passes.rop.separate_scan_results:SeparateScanResults",
    "order-weights": "rammer_ir.passes.rop.order_weights:OrderWeights",
    "split-dimensions": "rammer_ir.passes.rop.split_dimensions:SplitDimensions",
    "split-reductions": "rammer_ir.passes.rop.split_reductions:SplitReductions",
    "tile": "rammer_ir.passes.rop.tile:Tile",
    "write-in-place": "rammer_ir.passes.rop.write_in_place:WriteInPlace",
    "annotate-costs": "rammer_ir.passes.rtask.annotate_costs:AnnotateCosts",
    "approximate-activations": "rammer_ir.passes.rtask.approximate_activations:ApproximateActivations",
    "schedule-wavefront": "rammer_ir.passes.rtask.schedule_wavefront:ScheduleWavefront",
    "select-kernels": "rammer_ir.passes.rtask.select_kernels:SelectKernels",
    "set-device": "rammer_ir.passes.set_device:SetDevice",
    "set-precision": "rammer_ir.passes.set_precision:SetPrecision",
    "budget-launches": "rammer_ir.passes.vdevice.budget_launches:BudgetLaunches",
    "exchange-words": "rammer_ir.passes.vdevice.exchange_words:ExchangeWords",
    "expand-tasks": "rammer_ir.passes.vdevice.expand_tasks:ExpandTasks",
    "fit-launches": "rammer_ir.passes.vdevice.fit_launches:FitLaunches",
    "group-scans": "rammer_ir.passes.vdevice.group_scans:GroupScans",
    "group-waves": "rammer_ir.passes.vdevice.group_waves:GroupWaves",
    "insert-barriers": "rammer_ir.passes.vdevice.insert_barriers:InsertBarriers",
    "order-launches": "rammer_ir.passes.vdevice.order_launches:OrderLaunches",
    "place-tasks": "rammer_ir.passes.vdevice.place_tasks:PlaceTasks",
    "pin-weights": "rammer_ir.passes.vdevice.pin_weights:PinWeights",
    "plan-memory": "rammer_ir.passes.vdevice.plan_memory:PlanMemory",
    "relax-barriers": "rammer_ir.passes.vdevice.relax_barriers:RelaxBarriers",
    "split-launches": "rammer_ir.passes.vdevice.split_launches:SplitLaunches",
    "unroll-loops": "rammer_ir.passes.vdevice.unroll_loops:UnrollLoops",
    "verify-program": "rammer_ir.passes.vdevice.verify_program:VerifyProgram",
}
"""Name to "module:Class"; one line a pass, sorted by module."""


def get_all_passes() -> dict[str, Callable[[], type[ModulePass]]]:
    """Every pass' name with a factory that imports it."""
    return {name: lazy_class(path, ModulePass) for name, path in PASSES.items()}
