"""The interface that ONNX asks of a backend: `onnx.backend.base.Backend`."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, cast

import onnx
from onnx.backend.base import Backend, BackendRep, Device, DeviceType

import rammer_ir
from rammer_ir.errors import InvalidInputError, RammerError
from rammer_ir.program import Program


class RammerBackendRep(BackendRep):
    """A model that is compiled; `program` is what it became."""

    def __init__(self, program: Program, names: Sequence[str], outputs: Sequence[str]) -> None:
        self.program: Final = program
        self._names: Final = tuple(names)
        self._outputs: Final = tuple(outputs)

    def run(self, inputs: Any, **kwargs: Any) -> tuple[Any, ...]:
        """
        The outputs in the model's order, for inputs in the model's order or by name.

        Raises InvalidInputError where there are too many inputs, and as `Program.run`.
        """
        if isinstance(inputs, Mapping):
            named = dict(cast("Mapping[str, object]", inputs))
        else:
            given = list(cast("Sequence[object]", inputs)) if isinstance(inputs, list | tuple) else [inputs]
            if len(given) > len(self._names):
                raise InvalidInputError(f"{len(given)} inputs were given; the model takes {len(self._names)}")
            named = dict(zip(self._names, given, strict=False))
        results = self.program.run(named)
        return tuple(results[name] for name in self._outputs)


class RammerBackend(Backend):
    """Compiles and runs models and single nodes on "CPU" or "CUDA" ("CUDA:1")."""

    @classmethod
    def prepare(cls, model: onnx.ModelProto, device: str = "CPU", **kwargs: Any) -> RammerBackendRep:
        """
        Compile a model.

        `kwargs` may hold `strategy`, `precision` and `shapes`. Raises as `rammer_ir.compile`.
        """
        program = rammer_ir.compile(model, device=_device_name(device), **kwargs)
        initialized = {tensor.name for tensor in model.graph.initializer}
        names = [value.name for value in model.graph.input if value.name not in initialized]
        return RammerBackendRep(program, names, [output.name for output in model.graph.output])

    @classmethod
    def run_model(cls, model: onnx.ModelProto, inputs: Any, device: str = "CPU", **kwargs: Any) -> tuple[Any, ...]:
        """Compile a model, and run it once."""
        prepared = cls.prepare(model, device, **kwargs)
        with prepared.program:
            return prepared.run(inputs)

    @classmethod
    def run_node(
        cls,
        node: onnx.NodeProto,
        inputs: Any,
        device: str = "CPU",
        outputs_info: Sequence[tuple[Any, tuple[int, ...]]] | None = None,
        **kwargs: Any,
    ) -> tuple[Any, ...]:
        """
        Compile one node of the newest opset, or of `opset_imports`, for inputs of these shapes, and run it once.

        `outputs_info` is not needed: ONNX infers types. Raises as `rammer_ir.compile`.
        """
        opsets = kwargs.pop("opset_imports", None)
        infos = [_info(name, value) for name, value in zip((n for n in node.input if n), inputs, strict=True)]
        graph = onnx.helper.make_graph([node], "node", infos, [onnx.ValueInfoProto(name=n) for n in node.output if n])
        model = onnx.helper.make_model(graph, opset_imports=opsets)
        return cls.run_model(model, list(inputs), device, **kwargs)

    @classmethod
    def supports_device(cls, device: str) -> bool:
        """Whether there is such a device here."""
        from rammer_ir.runtime.selection import select_target

        try:
            select_target(_device_name(device))
        except RammerError:
            return False
        return True


def _device_name(device: str) -> str:
    """ONNX's name of a device as ours; raises InvalidInputError for kinds that are neither CPU nor CUDA."""
    try:
        parsed = Device(device)
    except (AttributeError, ValueError, KeyError) as error:
        raise InvalidInputError(f"there is no device {device!r}: choose CPU, CUDA or CUDA:1") from error
    return "cpu" if parsed.type == DeviceType.CPU else f"cuda:{parsed.device_id}"


def _info(name: str, value: Any) -> onnx.ValueInfoProto:
    import numpy as np

    array = np.asarray(value)
    return onnx.helper.make_tensor_value_info(name, onnx.helper.np_dtype_to_tensor_dtype(array.dtype), array.shape)


prepare = RammerBackend.prepare
run_model = RammerBackend.run_model
run_node = RammerBackend.run_node
supports_device = RammerBackend.supports_device
