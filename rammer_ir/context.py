"""The context in which our IR is parsed: which dialects it may use."""

from collections.abc import Callable

import xdsl.dialects
from xdsl.context import Context
from xdsl.ir import Dialect

from rammer_ir.dialects import get_all_dialects

XDSL_DIALECTS = (
    "affine",
    "arith",
    "builtin",
    "cf",
    "func",
    "gpu",
    "math",
    "memref",
    "scf",
    "tensor",
    "test",
    "vector",
)
"""xDSL's own dialects that our levels are mixed with."""


def known_dialects() -> dict[str, Callable[[], Dialect]]:
    """Our dialects and those of xDSL that go with them, each with a factory that imports it."""
    of_xdsl = xdsl.dialects.get_all_dialects()
    return {**{name: of_xdsl[name] for name in XDSL_DIALECTS}, **get_all_dialects()}


def new_context() -> Context:
    """A context that knows our dialects and loads them when they are first met."""
    context = Context()
    for name, factory in known_dialects().items():
        context.register_dialect(name, factory)
    return context
