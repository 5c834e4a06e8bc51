"""Bodies of a module, replaced by functions of one target."""

from collections.abc import Callable, Sequence

from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Operation
from xdsl.utils.symbol_table import get_name_if_symbol

from rammer_ir.dialects import block
from rammer_ir.locations import rewriter_at
from rammer_ir.lowering.from_block.structure import SERVICE_SUFFIX, refuse


def replace_bodies(module: ModuleOp, functions: Callable[[block.BodyOp], Sequence[Operation]]) -> None:
    """Replace every body of the module by what `functions` makes of it; raises CompileError if a name is taken."""
    taken = {symbol for op in module.body.block.ops if (symbol := get_name_if_symbol(op)) is not None}
    for body in [op for op in module.walk() if isinstance(op, block.BodyOp)]:
        if body.service is not None and body.sym_name.data + SERVICE_SUFFIX in taken:
            refuse(body, f"@{body.sym_name.data}{SERVICE_SUFFIX} is taken: it is the name of a service function")
        rewriter_at(body).replace(body, functions(body), [])
