"""What Rammer IR adds to xDSL's own tools, found through the entry point group `xdsl.universe`."""

from xdsl.universe import Universe

from rammer_ir.dialects import get_all_dialects
from rammer_ir.lowering import get_all_lowerings
from rammer_ir.lowering.targets import get_all_targets
from rammer_ir.passes import get_all_passes

RAMMER_UNIVERSE = Universe(
    all_dialects=get_all_dialects(),
    all_passes={**get_all_passes(), **get_all_lowerings()},
    all_targets=get_all_targets(),
)
