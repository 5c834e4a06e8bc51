"""rOperators that compute the same: what is found out about one of them holds for all."""

from collections.abc import Iterator

from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Attribute

from rammer_ir.dialects.rop import GetWeightOp, OperatorOp
from rammer_ir.fingerprint import region_fingerprint

Meaning = tuple[str, tuple[bool, ...]]
"""The fingerprint of an operator's region, and which of its inputs are weights."""


def meaning_of(operator: OperatorOp) -> Meaning:
    """What operators share if they compute the same from operands of the same types and kinds."""
    weights = tuple(isinstance(value.owner, GetWeightOp) for value in operator.inputs)
    return region_fingerprint(operator.body), weights


def equal_operators(module: ModuleOp) -> Iterator[list[OperatorOp]]:
    """The operators of a module, equal ones with equal attributes together, in the order of the first of each."""
    classes: dict[tuple[Meaning, frozenset[tuple[str, Attribute]]], list[OperatorOp]] = {}
    for operator in module.walk():
        if isinstance(operator, OperatorOp):
            key = (meaning_of(operator), frozenset(operator.attributes.items()))
            classes.setdefault(key, []).append(operator)
    yield from classes.values()
