"""The lowerings, one step down a file. A lowering goes down one level mechanically and decides nothing."""

from collections.abc import Callable

from xdsl.passes import ModulePass

from rammer_ir.registry import lazy_class

if __name__ == "lowering":
    raise ImportError("import rammer_ir.lowering instead: a second copy of an op class is another op")

LOWERINGS: dict[str, str] = {
    "convert-block-to-cuda": "rammer_ir.lowering.convert_block_to_cuda:ConvertBlockToCuda",
    "convert-block-to-scf": "rammer_ir.lowering.convert_block_to_scf:ConvertBlockToScf",
    "convert-contraction-to-block": "rammer_ir.lowering.convert_contraction_to_block:ConvertContractionToBlock",
    "convert-contraction-to-vectors": ("rammer_ir.lowering.convert_contraction_to_vectors:ConvertContractionToVectors"),
    "convert-generic-to-block": "rammer_ir.lowering.convert_generic_to_block:ConvertGenericToBlock",
    "convert-generic-to-loops": "rammer_ir.lowering.convert_generic_to_loops:ConvertGenericToLoops",
    "convert-matrix-vector-to-block": "rammer_ir.lowering.convert_matrix_vector_to_block:ConvertMatrixVectorToBlock",
    "convert-recurrence-to-block": "rammer_ir.lowering.convert_recurrence_to_block:ConvertRecurrenceToBlock",
    "convert-rop-to-rtask": "rammer_ir.lowering.convert_rop_to_rtask:ConvertRopToRtask",
    "convert-rtask-to-vdevice": "rammer_ir.lowering.convert_rtask_to_vdevice:ConvertRtaskToVdevice",
}
"""Name to "module:Class"; one line a lowering, sorted by module."""


def get_all_lowerings() -> dict[str, Callable[[], type[ModulePass]]]:
    """Every lowering's name with a factory that imports it."""
    return {name: lazy_class(path, ModulePass) for name, path in LOWERINGS.items()}
