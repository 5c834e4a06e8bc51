"""Verifying between passes: what is changed is verified again, what is not is left out."""

import pytest
from xdsl.dialects.builtin import ModuleOp, StringAttr
from xdsl.dialects.func import FuncOp
from xdsl.ir import Operation

from rammer_ir.context import new_context
from rammer_ir.dialects.rop import GenericOp
from rammer_ir.errors import VerificationError
from rammer_ir.parsing import parse_module
from rammer_ir.pass_pipeline import ModuleVerifier

MODULE = """
func.func @first(%x: tensor<8xf32>) -> tensor<8xf32> {
  %y = rop.generic bounds [8] maps [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>] ins(%x : tensor<8xf32>) {
  ^bb0(%p: f32):
    rop.yield %p : f32
  } -> tensor<8xf32>
  func.return %y : tensor<8xf32>
}
func.func @second(%x: tensor<8xf32>) -> tensor<8xf32> {
  func.return %x : tensor<8xf32>
}
"""


@pytest.fixture
def module() -> ModuleOp:
    return parse_module(new_context(), MODULE)


@pytest.fixture
def verified(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The functions that are verified, in order."""
    names: list[str] = []
    verify = FuncOp.verify

    def record(op: FuncOp, verify_nested_ops: bool = True) -> None:
        names.append(op.sym_name.data)
        verify(op, verify_nested_ops)

    monkeypatch.setattr(FuncOp, "verify", record)
    return names


def test_only_what_has_changed_is_verified_again(module: ModuleOp, verified: list[str]) -> None:
    verifier = ModuleVerifier(module)
    verifier.verify()
    assert verified == ["first", "second"]
    verifier.verify()
    assert verified == ["first", "second"]
    nested(module).attributes["note"] = StringAttr("changed")
    verifier.verify()
    assert verified == ["first", "second", "first"]


@pytest.mark.parametrize("stage", [None, "after pass break"])
def test_a_change_that_is_wrong_is_found(module: ModuleOp, stage: str | None) -> None:
    verifier = ModuleVerifier(module)
    verifier.verify()
    generic = nested(module)
    generic.properties["bounds"] = GenericOp([9], [], [], [], generic.body.clone()).bounds_
    with pytest.raises(VerificationError, match=r"reaches 0\.\.8 in dimension 0") as raised:
        verifier.verify(stage=stage)
    assert raised.value.stage == stage
    with pytest.raises(VerificationError):
        verifier.verify()


def test_an_op_that_is_taken_out_of_a_function_is_missed(module: ModuleOp) -> None:
    verifier = ModuleVerifier(module)
    verifier.verify()
    first = next(op for op in module.ops if isinstance(op, FuncOp))
    last = first.body.block.last_op
    assert last is not None
    last.detach()
    with pytest.raises(VerificationError):
        verifier.verify()


def nested(module: ModuleOp) -> GenericOp:
    found: list[Operation] = [op for op in module.walk() if isinstance(op, GenericOp)]
    (generic,) = found
    assert isinstance(generic, GenericOp)
    return generic
