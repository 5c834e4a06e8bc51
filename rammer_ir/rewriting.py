"""Greedy rewriting in which new ops keep the provenance of what they replace."""

from collections.abc import Sequence

from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Operation, SSAValue
from xdsl.pattern_rewriter import (
    GreedyRewritePatternApplier,
    PatternRewriter,
    PatternRewriterListener,
    PatternRewriteWalker,
    RewritePattern,
)

from rammer_ir.errors import PassError, RammerError, describe_exception
from rammer_ir.locations import describe_op, is_known, location_of, set_location


class _LocatingPattern(RewritePattern):
    """
    A pattern whose new ops get a location: that of the op they replace, else that of the matched op.

    Errors of the pattern get the location of the matched op.
    """

    def __init__(self, pattern: RewritePattern):
        self._pattern = pattern
        self._matched: Operation | None = None
        self._located: list[Operation] = []
        self.listener = PatternRewriterListener(
            operation_insertion_handler=[self._inserted],
            operation_replacement_handler=[self._replaced],
        )

    def match_and_rewrite(self, op: Operation, rewriter: PatternRewriter, /) -> None:
        self._matched = op
        self._located.clear()
        try:
            self._pattern.match_and_rewrite(op, rewriter)
        except RammerError as error:
            error.location = error.location or describe_op(op)
            raise
        except Exception as error:
            raise PassError(describe_exception(error), location=describe_op(op)) from error

    def _inserted(self, op: Operation) -> None:
        if self._matched is not None:
            self._located += set_location(op, location_of(self._matched))

    def _replaced(self, op: Operation, new_results: Sequence[SSAValue | None]) -> None:
        location = location_of(op)
        if op is not self._matched and is_known(location):
            for new_op in self._located:
                new_op.location = location
        self._located.clear()


def rewrite(
    module: ModuleOp,
    patterns: Sequence[RewritePattern],
    *,
    recursive: bool = True,
    reverse: bool = False,
) -> bool:
    """
    Apply the patterns to every op until none matches; whether anything changed.

    Not `recursive`: one walk, which leaves out new ops. `reverse`: uses before definitions.
    New ops get the location of the op they replace. Dead ops stay: that is the business of `dce`.
    """
    pattern = _LocatingPattern(GreedyRewritePatternApplier(list(patterns), dce_enabled=False))
    walker = PatternRewriteWalker(pattern, apply_recursively=recursive, walk_reverse=reverse, listener=pattern.listener)
    return walker.rewrite_module(module)
