"""The page of a dialect: its ops, attributes and types."""

import inspect
import re
import sys
from collections import Counter
from collections.abc import Iterable
from enum import Enum

from xdsl.ir import Attribute, Dialect, Operation, ParametrizedAttribute, TypeAttribute
from xdsl.irdl import (
    IRDLOperation,
    OpDef,
    OperandDef,
    OptAttributeDef,
    OptionalDef,
    OptPropertyDef,
    ParamAttrDef,
    ResultDef,
    VariadicDef,
)

from rammer_ir.dialects import DIALECTS
from rammer_ir.reference.constraints import describe_constraint, name_of
from rammer_ir.reference.markdown import page, table

SIZES = frozenset({"operandSegmentSizes", "resultSegmentSizes"})
"""Properties by which xDSL tells groups of operands and results apart."""


def dialect_page(dialect: Dialect) -> str:
    """The dialect's page in Markdown."""
    module = sys.modules[DIALECTS[dialect.name].partition(":")[0]]
    ops = {f"`{op.name}`": op for op in sorted(dialect.operations, key=lambda op: op.name)}
    attributes = {name_of(cls): cls for cls in sorted(dialect.attributes, key=lambda cls: cls.name)}
    members: dict[str, type[object]] = {**ops, **attributes}
    rows = [
        (f"[{name}](#{link})", _summary(cls))
        for (name, cls), link in zip(members.items(), _links(members), strict=True)
    ]
    parts = [inspect.cleandoc(module.__doc__ or ""), table(("name", "what"), rows)]
    for name, op in ops.items():
        parts += [f"## {name}", *_op(op)]
    for name, attribute in attributes.items():
        parts += [f"## {name}", *_attribute(attribute)]
    return page(f"The `{dialect.name}` dialect", parts)


def _links(names: Iterable[str]) -> list[str]:
    """What GitHub makes of headings: letters, digits, underscores and dashes; one that is there already is numbered."""
    seen: Counter[str] = Counter()
    links: list[str] = []
    for name in names:
        link = re.sub(r"[^a-z0-9_-]", "", name.lower())
        links.append(f"{link}-{seen[link]}" if seen[link] else link)
        seen[link] += 1
    return links


def _summary(cls: type[object]) -> str:
    """The first sentence of a docstring."""
    first = inspect.cleandoc(cls.__doc__ or "").split("\n\n")[0]
    return " ".join(first.split()).split(": `", maxsplit=1)[0].partition(". ")[0].rstrip(".")


def _op(op: type[Operation]) -> Iterable[str]:
    assert issubclass(op, IRDLOperation)
    definition = op.get_irdl_definition()
    yield inspect.cleandoc(op.__doc__ or "")
    yield table(("operand", "number", "type"), _values(definition.operands))
    yield table(("result", "number", "type"), _values(definition.results))
    yield table(("attribute", "number", "kind"), _attributes(definition))
    yield table(("region", "number"), [(f"`{name}`", _number(region)) for name, region in definition.regions])
    traits = sorted({type(trait).__name__ for trait in op.traits.traits})
    if traits:
        yield f"Traits: {', '.join(traits)}."


def _values(values: Iterable[tuple[str, OperandDef | ResultDef]]) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = []
    for name, definition in values:
        constraint = getattr(definition, "constr", None)
        rows.append(
            (f"`{name}`", _number(definition), "any" if constraint is None else describe_constraint(constraint))
        )
    return rows


def _number(definition: object) -> str:
    if isinstance(definition, OptionalDef):
        return "0 or 1"
    return "0 or more" if isinstance(definition, VariadicDef) else "1"


def _attributes(definition: OpDef) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = []
    for name, attribute in {**definition.attributes, **definition.properties}.items():
        if name not in SIZES:
            number = "0 or 1" if isinstance(attribute, OptAttributeDef | OptPropertyDef) else "1"
            rows.append((f"`{name}`", number, describe_constraint(attribute.constr)))
    return rows


def _attribute(cls: type[Attribute]) -> Iterable[str]:
    kind = "type" if issubclass(cls, TypeAttribute) else "attribute"
    yield f"{inspect.cleandoc(cls.__doc__ or '')}\n\nThis is {'a' if kind == 'type' else 'an'} {kind}."
    members: type[Enum] | None = getattr(cls, "enum_type", None)
    if members is not None:
        yield f"Values: {', '.join(f'`{member.value}`' for member in members)}."
    if issubclass(cls, ParametrizedAttribute):
        definition: ParamAttrDef = cls.get_irdl_definition()
        rows = [(f"`{name.rstrip('_')}`", describe_constraint(kind.constr)) for name, kind in definition.parameters]
        yield table(("parameter", "kind"), rows)
