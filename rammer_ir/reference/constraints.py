"""Constraints of operands and attributes in words."""

from xdsl.dialects.builtin import ArrayOfConstraint, DenseArrayBase, IntegerAttr, SymbolNameConstraint
from xdsl.ir import Attribute, TypeAttribute
from xdsl.irdl import (
    AllOf,
    AnyOf,
    AttrConstraint,
    BaseAttr,
    EqAttrConstraint,
    MessageConstraint,
    ParamAttrConstraint,
    RangeConstraint,
    RangeLengthConstraint,
    RangeOf,
    VarConstraint,
)

BUILTIN_NAMES = {
    "affine_map": "affine map",
    "array": "dense array",
    "dense": "table of integers",
    "dictionary": "dictionary",
    "float": "float",
    "integer": "integer",
    "integer_type": "integer type",
    "string": "text",
    "symbol_ref": "symbol",
    "unit": "flag",
}
"""Names of builtin attributes that are no words, by their own names."""


def describe_constraint(constraint: AttrConstraint | RangeConstraint) -> str:
    """What the constraint admits, such as "`memref` or `index`"; "any" for what is not restricted or has no words."""
    match constraint:
        case BaseAttr(attr=cls):
            return name_of(cls)
        case EqAttrConstraint(attr=attribute):
            return f"`{attribute}`"
        case AnyOf(attr_constrs=options):
            return " or ".join(dict.fromkeys(describe_constraint(option) for option in options))
        case AllOf(attr_constrs=parts):
            named = [text for text in map(describe_constraint, parts) if text != "any"]
            return named[0] if named else "any"
        case ParamAttrConstraint(base_attr=base, param_constrs=parameters):
            return _parametrized(base, parameters)
        case ArrayOfConstraint(elem_range_constraint=elements):
            return f"array of {describe_constraint(elements)}"
        case SymbolNameConstraint():
            return "symbol's name"
        case _:
            return _describe_wrapper(constraint)


def _describe_wrapper(constraint: AttrConstraint | RangeConstraint) -> str:
    """A constraint that says how many, or what else, of another."""
    match constraint:
        case RangeOf() | MessageConstraint():
            return describe_constraint(constraint.constr)
        case RangeLengthConstraint():
            return describe_constraint(constraint.constraint)
        case VarConstraint(name=name):
            return f"{describe_constraint(constraint.constraint)}, the same for all {name}"
        case _:
            return "any"


def _parametrized(base: type[Attribute], parameters: tuple[AttrConstraint, ...]) -> str:
    element = describe_constraint(parameters[0]) if parameters else "any"
    if base is DenseArrayBase:
        return f"dense array of {element}"
    if base is IntegerAttr:
        kind = describe_constraint(parameters[1])
        return "integer" if kind == "any" else f"integer of type {kind}"
    return name_of(base)


def name_of(cls: type[Attribute]) -> str:
    """An attribute's or a type's name as it is written, or in words."""
    name = getattr(cls, "name", cls.__name__)
    if name in BUILTIN_NAMES:
        return BUILTIN_NAMES[name]
    prefix = "" if "." not in name else "!" if issubclass(cls, TypeAttribute) else "#"
    return f"`{prefix}{name}`"
