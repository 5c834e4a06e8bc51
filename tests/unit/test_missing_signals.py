"""Compiled programs in which one vEU leaves one instruction out: the wait that does not end is reported in time."""

import time
from dataclasses import replace

import numpy as np
import pytest

from rammer_ir.errors import ProgramTimeoutError
from rammer_ir.runtime.cache import CompileCache
from rammer_ir.runtime.host.program import HostProgram
from rammer_ir.runtime.program_image import Opcode, ProgramImage
from rammer_ir.testing.lowered_models import lower_model
from rammer_ir.testing.lstm_pair import ON_HOST, Array, lower_pair
from rammer_ir.testing.program_images import without_instruction
from rammer_ir.testing.small_models import SMALL_MODELS, small_inputs

TIMEOUT = 0.2


def load(image: ProgramImage, weights: Array) -> HostProgram:
    return HostProgram(image, weights, cache=CompileCache(), timeout_seconds=TIMEOUT, oversubscribe=True)


def check(image: ProgramImage, weights: Array, inputs: dict[str, Array], opcode: Opcode, message: str) -> None:
    """The right program runs; each one in which a vEU leaves out an instruction ends with an error, then this again."""
    right = load(image, weights)
    expected = right.run(inputs)
    for veu in range(image.launches[0].veus):
        wrong = load(without_instruction(image, veu, opcode), weights)
        start = time.perf_counter()
        with pytest.raises(ProgramTimeoutError, match=message) as error:
            wrong.run(inputs)
        assert time.perf_counter() - start < 50 * TIMEOUT
        assert "\n" not in str(error.value)
        wrong.close()
        outputs = right.run(inputs)
        assert all(np.array_equal(outputs[name], expected[name]) for name in expected)
    right.close()


def test_a_missing_barrier_of_a_model() -> None:
    model = SMALL_MODELS["lstm"]()
    image, weights = lower_model(model, "set-device{device=host veus=3},persistent").encode()
    inputs = {name: np.asarray(array) for name, array in small_inputs(model).items()}
    check(image, weights, inputs, Opcode.BARRIER, "barrier 0")


@pytest.mark.parametrize(
    ("events", "opcode", "message"),
    [(True, Opcode.SIGNAL, "event 'e[01]'"), (False, Opcode.RUN, "a word did not arrive")],
    ids=["signal", "word"],
)
def test_a_missing_signal_or_word_of_the_lstm_pair(events: bool, opcode: Opcode, message: str) -> None:
    image, weights = lower_pair(replace(ON_HOST, events=events)).encode()
    inputs = {"x": np.ones((5, ON_HOST.hidden), np.float32)}
    check(image, weights, inputs, opcode, message)
