"""Pass pipelines: from their text to passes, and over a module with each result verified."""

import dataclasses
import difflib
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import get_type_hints

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Operation
from xdsl.passes import ModulePass
from xdsl.utils.arg_spec import ArgSpec, ArgSpecConvertible, parse_pipeline
from xdsl.utils.exceptions import ArgSpecParseError, VerifyException
from xdsl.utils.hints import type_repr

from rammer_ir.collection import rare_collections
from rammer_ir.errors import PassError, PipelineError, RammerError, VerificationError, describe_exception
from rammer_ir.locations import describe_op
from rammer_ir.pass_registry import PassFactory, known_passes
from rammer_ir.pipelines import PIPELINES


class PassObserver:
    """Sees a pipeline run; the methods do nothing unless overridden."""

    def before_pass(self, pass_: ModulePass, module: ModuleOp) -> None:
        """Called before each pass."""

    def after_pass(self, pass_: ModulePass, module: ModuleOp, seconds: float) -> None:
        """Called after each pass, before its result is verified, with the pass' own wall time."""


def parse_pass_pipeline(spec: str, available: Mapping[str, PassFactory] | None = None) -> tuple[ModulePass, ...]:
    """
    The passes named in a text such as `"rop-optimize,tile{budget=2}"`; a named pipeline stands for its passes.

    `available` are the passes to choose from, else `known_passes()`. Raises PipelineError.
    """
    choice = known_passes() if available is None else available
    return tuple(_build(spec_, choice) for spec_ in _expand(spec, choice))


def _expand(text: str, available: Mapping[str, PassFactory]) -> Iterator[ArgSpec]:
    try:
        specs = tuple(parse_pipeline(text))
    except ArgSpecParseError as error:
        raise PipelineError(f"cannot read the pass pipeline '{text}': {_last_line(error)}") from error
    for spec in specs:
        if spec.name not in PIPELINES:
            yield spec
            continue
        if spec.parameters:
            raise PipelineError(f"'{spec.name}' is a pipeline and has no options: give them to its passes")
        for part in PIPELINES[spec.name]:
            yield from _expand(part, available)


def _last_line(error: BaseException) -> str:
    return str(error).strip().splitlines()[-1].strip()


def _build(spec: ArgSpec, available: Mapping[str, PassFactory]) -> ModulePass:
    if spec.name not in available:
        raise PipelineError(f"unknown pass '{spec.name}'{_suggestion(spec.name, [*available, *PIPELINES])}")
    cls = available[spec.name]()
    try:
        return cls.from_spec(spec)
    except ValueError as error:
        options = describe_options(cls)
        unknown = [name for name in spec.normalize_parameter_names().parameters if name not in options]
        reason = f"no option '{unknown[0]}'" if unknown else str(error)
        choice = f"its options: {', '.join(options.values())}" if options else "it has none"
        raise PipelineError(f"{reason}; {choice}", stage=f"pass {spec.name}") from error


def describe_options(cls: type[ArgSpecConvertible]) -> dict[str, str]:
    """The options of a pass or target: name to text, such as `limit` to `limit: int = 8`."""
    options: dict[str, str] = {}
    types = get_type_hints(cls)
    for field in dataclasses.fields(cls):
        default = "" if field.default is dataclasses.MISSING else f" = {str(field.default).lower()}"
        options[field.name] = f"{field.name}: {type_repr(types[field.name])}{default}"
    return options


def _suggestion(name: str, names: Sequence[str]) -> str:
    close = difflib.get_close_matches(name, names, n=1)
    return f"; did you mean '{close[0]}'?" if close else ""


def run_passes(
    ctx: Context,
    module: ModuleOp,
    passes: Sequence[ModulePass],
    *,
    verify: bool = True,
    observers: Sequence[PassObserver] = (),
) -> None:
    """
    Apply the passes to the module in order; verify it before the first and after each, unless told not to.

    Between passes, symbols are verified again only where a pass has changed them; after the last one, all of them.

    Raises VerificationError, a RammerError of the pass, or PassError with whatever else the pass raised as its cause.
    """
    verifier = ModuleVerifier(module)
    if verify:
        verifier.verify()
    for pass_ in passes:
        for observer in observers:
            observer.before_pass(pass_, module)
        stage = f"pass {pass_.name}"
        start = time.perf_counter()
        _apply(ctx, module, pass_, stage)
        seconds = time.perf_counter() - start
        for observer in observers:
            observer.after_pass(pass_, module, seconds)
        if verify and pass_ is passes[-1]:
            verify_module(module, stage=f"after {stage}")
        elif verify:
            verifier.verify(stage=f"after {stage}")


def _apply(ctx: Context, module: ModuleOp, pass_: ModulePass, stage: str) -> None:
    try:
        with rare_collections():
            pass_.apply(ctx, module)
    except RammerError as error:
        error.stage = error.stage or stage
        raise
    except Exception as error:
        raise PassError(describe_exception(error), stage=stage) from error


class ModuleVerifier:
    """
    Verifies a module again and again, and of its symbols only those that are not as they were the last time.

    Most of a module are bodies and kernels that few passes touch, and to verify an op takes far longer than to see
    that it is the same.
    """

    def __init__(self, module: ModuleOp) -> None:
        self._module = module
        self._known: dict[Operation, list[object]] = {}

    def verify(self, *, stage: str | None = None) -> None:
        """Raises VerificationError as `verify_module` does."""
        known: dict[Operation, list[object]] = {}
        try:
            self._module.verify(verify_nested_ops=False)
            for op in self._module.body.block.ops:
                parts = _parts(op)
                if self._known.get(op) != parts:
                    op.verify()
                known[op] = parts
        except VerifyException:
            verify_module(self._module, stage=stage)
            raise
        self._known = known


def _parts(op: Operation) -> list[object]:
    """All that an op and what is nested in it consist of."""
    parts: list[object] = []
    for nested in op.walk():
        parts.append(nested)
        parts.extend(nested.operands)
        parts.extend(nested.properties.items())
        parts.extend(nested.attributes.items())
        parts.extend(result.type for result in nested.results)
        for region in nested.regions:
            for block in region.blocks:
                parts.append(block)
                parts.extend(argument.type for argument in block.args)
    return parts


def verify_module(module: ModuleOp, *, stage: str | None = None) -> None:
    """Verify the module and all in it; raises VerificationError with the place of the op that is wrong."""
    try:
        module.verify()
    except VerifyException as error:
        culprit = _first_invalid(module)
        if culprit is None:
            raise VerificationError(str(error), stage=stage) from error
        name = f"'{culprit.name}'"
        message = str(error) if str(error).startswith(name) else f"{name}: {error}"
        raise VerificationError(message, location=describe_op(culprit), stage=stage) from error


def _first_invalid(module: ModuleOp) -> Operation | None:
    for op in module.walk(region_first=True):
        try:
            op.verify(verify_nested_ops=False)
        except VerifyException:
            return op
    return None
