"""Equal ops have equal fingerprints, and others have others."""

import pytest

from rammer_ir.context import new_context
from rammer_ir.fingerprint import fingerprint
from rammer_ir.parsing import parse_module

ORIGINAL = """
func.func @f(%a: f32, %b: f32) -> f32 {
  %c = arith.constant 1.0 : f32
  %d = arith.subf %a, %b : f32
  %e = arith.addf %c, %d : f32
  func.return %e : f32
}
"""


def fingerprint_of(text: str) -> str:
    return fingerprint(parse_module(new_context(), text))


def test_names_of_values_do_not_count() -> None:
    assert fingerprint_of(ORIGINAL.replace("%a", "%x").replace("%e", "%sum")) == fingerprint_of(ORIGINAL)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("1.0", "2.0"),
        ("%a, %b", "%b, %a"),
        ("%c, %d", "%d, %c"),
        ("arith.addf", "arith.mulf"),
        ("f32", "f64"),
        ("@f(%a: f32, %b: f32)", "@f(%a: f32, %b: f32, %z: i1)"),
        ("arith.subf %a, %b", "arith.subf %a, %b fastmath<fast>"),
    ],
)
def test_everything_else_counts(old: str, new: str) -> None:
    assert fingerprint_of(ORIGINAL.replace(old, new)) != fingerprint_of(ORIGINAL)
