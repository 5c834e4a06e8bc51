"""Einsum against NumPy: forms that are written out, and equations at random."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from onnx import helper

from rammer_ir.errors import InvalidInputError, UnsupportedModelError
from rammer_ir.frontend.onnx_importer import import_model
from rammer_ir.testing.compiled_models import check_compiled, check_cuda_compiles, nodes_model
from rammer_ir.testing.onnx_models import Arrays, run_imported

GENERATOR = np.random.default_rng(11)
EXTENTS = {letter: 2 + number for number, letter in enumerate("abcdij")}


def operands(*shapes: tuple[int, ...]) -> Arrays:
    return {f"x{number}": GENERATOR.standard_normal(shape).astype(np.float32) for number, shape in enumerate(shapes)}


def check(equation: str, inputs: Arrays) -> None:
    model = nodes_model([helper.make_node("Einsum", [*inputs], ["y"], equation=equation)], inputs)
    (result,) = run_imported(import_model(model), inputs)
    wanted = np.asarray(np.einsum(equation, *inputs.values()))
    assert result.shape == wanted.shape
    np.testing.assert_allclose(result, wanted, rtol=1e-4, atol=1e-4)


FORMS: dict[str, tuple[tuple[int, ...], ...]] = {
    "ij->ji": ((3, 4),),
    "ij->": ((3, 4),),
    "ii->i": ((3, 3),),
    "ii": ((3, 3),),
    "...ii->...i": ((2, 5, 3, 3),),
    "b...->...b": ((2, 3, 4),),
    "ba": ((3, 4),),
    "i,i": ((5,), (5,)),
    "i,j->ji": ((3,), (4,)),
    "ij,jk": ((3, 4), (4, 5)),
    "bij, bjk -> bik": ((2, 3, 4), (2, 4, 5)),
    "bhqd,bhkd->bhqk": ((2, 3, 4, 5), (2, 3, 6, 5)),
    "...ij,...jk->...ik": ((2, 1, 3, 4), (2, 7, 4, 5)),
    "...,...": ((3, 1), (1, 4)),
    "ij,kj->j": ((3, 4), (5, 4)),
    "iji,j->i": ((3, 4, 3), (4,)),
    "ij,jk,kl->il": ((2, 3), (3, 4), (4, 5)),
    "a,b,c->abc": ((2,), (3,), (4,)),
    "ab,ab,ab": ((2, 3), (2, 3), (2, 3)),
    "ij,jk->ik": ((3, 1), (4, 5)),
    ",i->i": ((), (3,)),
}


@pytest.mark.parametrize("equation", FORMS)
def test_forms(equation: str) -> None:
    check(equation, operands(*FORMS[equation]))


@st.composite
def equations(draw: st.DrawFn) -> str:
    letters = st.sampled_from(sorted(EXTENTS))
    terms = ["".join(draw(st.lists(letters, max_size=4))) for _ in range(draw(st.integers(1, 3)))]
    known = sorted(set("".join(terms)))
    result = draw(st.lists(st.sampled_from(known), unique=True)) if known else []
    return f"{','.join(terms)}->{''.join(result)}"


@settings(max_examples=60, deadline=None)
@given(equations())
def test_equations(equation: str) -> None:
    terms = equation.split("->")[0].split(",")
    check(equation, operands(*(tuple(EXTENTS[letter] for letter in term) for term in terms)))


@pytest.mark.parametrize(
    ("equation", "shapes", "message"),
    [
        ("ij->ij", ((2, 3), (2,)), "has 1 operands where 2 are given"),
        ("ij->k", ((2, 3),), "has labels in its result that are unknown"),
        ("ii->ii", ((3, 3),), "has labels in its result that are unknown, or twice"),
        ("i1->i", ((2, 3),), "not made of letters"),
        ("i->i", ((2, 3),), 'the term "i" for 2 dimensions'),
        ("ij,j->i", ((2, 3), (4,)), "has label 'j' for 3 and for 4 elements"),
    ],
)
def test_equations_that_do_not_fit(equation: str, shapes: Any, message: str) -> None:
    inputs = operands(*shapes)
    node = helper.make_node("Einsum", [*inputs], ["y"], equation=equation)
    with pytest.raises((InvalidInputError, UnsupportedModelError), match=r"Einsum|equation") as caught:
        import_model(nodes_model([node], inputs))
    # ONNX's own inference refuses some of them first.
    assert message in str(caught.value) or "do not fit op Einsum" in str(caught.value)


def test_compiled() -> None:
    forms = ["...ij,...jk->...ik", "ij,jk,kl->il", "iji,j->i"]
    inputs: dict[str, NDArray[Any]] = {}
    nodes: list[Any] = []
    for number, form in enumerate(forms):
        named = {f"{name}_{number}": array for name, array in operands(*FORMS[form]).items()}
        inputs |= named
        nodes.append(helper.make_node("Einsum", [*named], [f"y{number}"], equation=form))
    model = nodes_model(nodes, inputs)
    check_compiled(model, inputs, rtol=1e-4, atol=1e-4)
    check_cuda_compiles(model)
