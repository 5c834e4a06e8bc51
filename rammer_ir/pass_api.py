"""
What a compiler engineer needs to write a pass.

A pass with an option, from a file of one's own (`rammer-opt --load my_passes.py -p my-pass{limit=4} model.mlir`):

    @register_pass
    class MyPass(Pass):
        \"\"\"What the pass decides.\"\"\"

        name = "my-pass"
        limit: int = 8

        def patterns(self) -> Sequence[RewritePattern]:
            return [MyPattern(self.limit)]

Instead of `patterns`, a pass may define `apply(self, ctx, op)` and do anything with the module `op`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.passes import ModulePass
from xdsl.pattern_rewriter import RewritePattern

from rammer_ir.pass_registry import register_pass
from rammer_ir.rewriting import rewrite

__all__ = ["Pass", "register_pass"]


@dataclass(frozen=True)
class Pass(ModulePass):
    """
    A pass over a module: a name, options as dataclass fields, and either `patterns` or `apply`.

    Options are `int`, `float`, `bool` or `str`, tuples of these, or one of them or None.
    A subclass is a frozen dataclass: `register_pass` makes it one, else say `@dataclass(frozen=True)`.
    """

    def patterns(self) -> Sequence[RewritePattern]:
        """The rewrites to apply until none matches; new ops get the location of the op they replace."""
        raise TypeError(f"{type(self).__name__} defines neither patterns nor apply")

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        """Do the pass' work on the module `op`."""
        rewrite(op, self.patterns())
