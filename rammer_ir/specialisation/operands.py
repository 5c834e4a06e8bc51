"""Which operands of a node decide the shapes of its outputs."""

from typing import Final

import onnx

from rammer_ir.frontend.schemas import normal_domain

_DECIDING: Final[dict[str, tuple[int, ...]]] = {
    "AffineGrid": (1,),
    "BlackmanWindow": (0,),
    "CenterCropPad": (1,),
    "Col2Im": (1, 2),
    "ConstantOfShape": (0,),
    "DFT": (1, 2),
    "Expand": (1,),
    "HammingWindow": (0,),
    "HannWindow": (0,),
    "MaxUnpool": (2,),
    "MelWeightMatrix": (0, 1, 2, 3, 4),
    "OneHot": (1,),
    "Pad": (1, 3),
    "Range": (0, 1, 2),
    "Reshape": (1,),
    "Resize": (1, 2, 3),
    "STFT": (1, 3),
    "Slice": (1, 2, 3, 4),
    "Split": (1,),
    "Squeeze": (1,),
    "Tile": (1,),
    "TopK": (1,),
    "Unsqueeze": (1,),
    "Upsample": (1,),
}


def deciding_operands(node: onnx.NodeProto) -> list[str]:
    """
    The inputs whose values the shapes of the node's outputs depend on.

    All but the first, where nothing else is known of the op.
    """
    is_standard = not normal_domain(node.domain)
    reduces = is_standard and node.op_type.startswith("Reduce")
    everything_else = tuple(range(1, len(node.input)))
    positions = (1,) if reduces else _DECIDING.get(node.op_type, everything_else) if is_standard else everything_else
    return [node.input[position] for position in positions if position < len(node.input) and node.input[position]]
