"""Programs of models, and one written by hand, compiled for three generations of GPUs; no GPU is needed."""

from collections.abc import Callable, Mapping
from dataclasses import replace

import onnx
import pytest

from rammer_ir.pipelines import STRATEGIES
from rammer_ir.runtime.cuda.build import build
from rammer_ir.runtime.program_image import ProgramImage
from rammer_ir.testing.lowered_models import lower_model
from rammer_ir.testing.lstm_pair import ON_CUDA, lower_pair
from rammer_ir.testing.small_models import SMALL_MODELS, convolution_model

ARCHITECTURES = ("sm_80", "sm_90a", "sm_100")

SAVED_BYTES = 96
"""What a body may store to local memory, a thread: the registers that it saves for its caller, once a task."""

MODELS: Mapping[str, Callable[[], onnx.ModelProto]] = {
    **SMALL_MODELS,
    "convolutions": lambda: convolution_model(channels=16, size=56),
}


class MemoryCache:
    """Compiled code of this process: strategies share bodies."""

    def __init__(self) -> None:
        self.entries: dict[str, bytes] = {}

    def get(self, key: str) -> bytes | None:
        return self.entries.get(key)

    def put(self, key: str, data: bytes) -> None:
        self.entries[key] = data


@pytest.fixture(scope="module")
def cache() -> MemoryCache:
    return MemoryCache()


def check(image: ProgramImage, cache: MemoryCache) -> None:
    """All bodies are there for each architecture; on the one that they are made for, none spills."""
    for architecture in ARCHITECTURES:
        built = build(image, architecture, cache)
        assert sorted(number for kernel in built.kernels for number in kernel.launches) == [*range(len(image.launches))]
        assert all(kernel.cubin.startswith(b"\x7fELF") for kernel in built.kernels)
        bodies = {body.name for body in image.bodies}
        services = {f"{body.name}_service" for body in image.bodies if body.service}
        assert bodies | services < set(built.functions)
        if architecture == "sm_90a":
            spills = {name: built.functions[name].spill_stores for name in bodies | services}
            assert max(spills.values()) <= SAVED_BYTES, spills


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("name", MODELS)
def test_models_compile_for_every_architecture(name: str, strategy: str, cache: MemoryCache) -> None:
    image, _ = lower_model(MODELS[name](), f"set-device{{device=h100}},{strategy}").encode()
    assert any(body.service for body in image.bodies) == (name != "lstm"), "contractions stream their weights"
    check(image, cache)


@pytest.mark.parametrize("precision", ["tf32", "3xtf32"])
def test_tensor_cores_compile_for_every_architecture(precision: str, cache: MemoryCache) -> None:
    pipeline = f'set-device{{device=h100}},set-precision{{precision="{precision}"}},persistent'
    image, _ = lower_model(convolution_model(channels=32, size=56), pipeline).encode()
    assert any("rammer::mma_tf32" in body.source for body in image.bodies)
    check(image, cache)


@pytest.mark.parametrize("events", [False, True], ids=["by words", "by events"])
def test_the_lstm_pair_compiles(events: bool, cache: MemoryCache) -> None:
    image, _ = lower_pair(replace(ON_CUDA, events=events)).encode()
    check(image, cache)
