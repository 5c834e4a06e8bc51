"""ONNX's own backend tests: what they are, and what becomes of one."""

import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias, cast

import numpy as np
import onnx
from onnx import numpy_helper
from onnx.backend.test.loader import load_model_tests
from onnx.backend.test.runner import Runner

from rammer_ir.backend import RammerBackend
from rammer_ir.errors import UnsupportedModelError, describe_exception
from rammer_ir.specialisation.program import SpecialisedProgram

Verdict: TypeAlias = Literal["compiled", "host", "unsupported", "failed"]
"""Right, and all computed by programs; right with work of the host; refused in one line; anything else."""

VERDICTS: Final[tuple[Verdict, ...]] = ("compiled", "host", "unsupported", "failed")
KINDS: Final = ("node", "simple", "pytorch-converted", "pytorch-operator", "light")

DataSet: TypeAlias = tuple[list[Any], list[Any]]
"""Inputs and expected outputs: arrays, lists of them, None."""


@dataclass(frozen=True)
class Case:
    """A test: `load` gives its model and its data. `op` is what it tests, `types` the element types of its tensors."""

    kind: str
    name: str
    op: str
    types: frozenset[str]
    load: Callable[[], tuple[onnx.ModelProto, Sequence[DataSet]]]
    rtol: float
    atol: float


@dataclass(frozen=True)
class Outcome:
    """What became of a test; `reason` says why it did not pass, `host_ops` what the host did."""

    kind: str
    name: str
    op: str
    types: tuple[str, ...]
    verdict: Verdict
    reason: str = ""
    host_ops: tuple[str, ...] = ()
    seconds: float = 0.0


def conformance_cases(kinds: Sequence[str] = KINDS) -> list[Case]:
    """All tests of these kinds, by name."""
    with np.errstate(all="ignore"), warnings.catch_warnings(action="ignore"):
        cases = [case for kind in kinds for case in _cases_of(kind)]
    return cases


def run_case(case: Case, device: str = "CPU") -> Outcome:
    """Compile the test's model, run it on the test's data, and compare, with the tolerances and rules of ONNX."""
    try:
        model, data_sets = case.load()
        prepared = RammerBackend.prepare(model, device)
        with prepared.program as program:
            for inputs, expected in data_sets:
                outputs = prepared.run(inputs)
                _assert_similar(case, expected, list(outputs))
            used = sorted(program.host_ops) if isinstance(program, SpecialisedProgram) else []
    except UnsupportedModelError as error:
        return _outcome(case, "unsupported", str(error))
    except Exception as error:  # A failing test is a result, whatever raised.
        return _outcome(case, "failed", describe_exception(error))
    return _outcome(case, "host" if used else "compiled", host_ops=tuple(used))


def _assert_similar(case: Case, expected: Sequence[Any], outputs: Sequence[Any]) -> None:
    """Raises AssertionError unless the outputs are as expected; sequences are compared tensor by tensor."""
    assert len(outputs) == len(expected), f"{len(outputs)} outputs for {len(expected)}"
    for wanted, output in zip(expected, outputs, strict=True):
        assert isinstance(wanted, list) == isinstance(output, list), f"{type(output)} for {type(wanted)}"
        if isinstance(output, list):
            _assert_similar(case, cast("list[Any]", wanted), cast("list[Any]", output))
        elif wanted is None or output is None:
            assert wanted is output, f"{type(output)} for {type(wanted)}"
        else:
            cast("Any", Runner).assert_similar_outputs([np.asarray(wanted)], [output], case.rtol, case.atol)


def _outcome(case: Case, verdict: Verdict, reason: str = "", host_ops: tuple[str, ...] = ()) -> Outcome:
    return Outcome(
        case.kind, case.name, case.op, tuple(sorted(case.types)), verdict, " ".join(reason.split()), host_ops
    )


def _cases_of(kind: str) -> Iterator[Case]:
    tests: list[Any] = cast("Any", load_model_tests)(kind="real" if kind == "light" else kind)
    if kind == "node":
        ops = {test.name: _op_of(test.model) for test in tests}
        for test in sorted(tests, key=lambda item: item.name):
            base = test.name.partition("_expanded")[0]
            yield _case(kind, test, ops.get(base, ops[test.name]), test.model, _in_memory(test))
    else:
        for test in sorted(tests, key=lambda item: item.name):
            if kind == "light":
                yield _case(kind, test, _subject(test.name), None, _light(test))
            else:
                folder = Path(test.model_dir)
                model: onnx.ModelProto = cast("Any", onnx).load(folder / "model.onnx")
                yield _case(kind, test, _subject(test.name), model, _in_folder(folder))


def _case(kind: str, test: Any, op: str, model: onnx.ModelProto | None, load: Callable[[], Any]) -> Case:
    types = frozenset({"FLOAT"}) if model is None else frozenset(_types_of(model))
    return Case(kind, test.name, op, types, load, test.rtol, test.atol)


def _subject(name: str) -> str:
    return name.removeprefix("test_")


def _op_of(model: onnx.ModelProto) -> str:
    """The op that a test of one node tests: the last that is no constant."""
    node = next((node for node in reversed(model.graph.node) if node.op_type != "Constant"), model.graph.node[-1])
    return f"{node.domain}.{node.op_type}" if node.domain else node.op_type


def _types_of(model: onnx.ModelProto) -> Iterator[str]:
    for value in (*model.graph.input, *model.graph.output):
        kind = value.type
        if kind.HasField("optional_type"):
            yield "optional"
            kind = kind.optional_type.elem_type
        if kind.HasField("sequence_type"):
            yield "sequence"
            kind = kind.sequence_type.elem_type
        yield onnx.TensorProto.DataType.Name(onnx.TensorProto.DataType.ValueType(kind.tensor_type.elem_type))


def _value(item: Any) -> Any:
    match item:
        case onnx.TensorProto():
            return numpy_helper.to_array(item)
        case onnx.SequenceProto():
            return numpy_helper.to_list(item)
        case onnx.OptionalProto():
            return numpy_helper.to_optional(item)
        case _:
            return item


def _in_memory(test: Any) -> Callable[[], tuple[onnx.ModelProto, Sequence[DataSet]]]:
    def load() -> tuple[onnx.ModelProto, Sequence[DataSet]]:
        data = [([_value(x) for x in inputs], [_value(x) for x in outputs]) for inputs, outputs in test.data_sets]
        return test.model, data

    return load


def _in_folder(folder: Path) -> Callable[[], tuple[onnx.ModelProto, Sequence[DataSet]]]:
    def load() -> tuple[onnx.ModelProto, Sequence[DataSet]]:
        model: onnx.ModelProto = cast("Any", onnx).load(folder / "model.onnx")
        sets = sorted(folder.glob("test_data_set*"))
        data = [(_files(path, "input", model.graph.input), _files(path, "output", model.graph.output)) for path in sets]
        return model, data

    return load


def _files(folder: Path, what: str, infos: Sequence[onnx.ValueInfoProto]) -> list[Any]:
    values: list[Any] = []
    for number in range(len(list(folder.glob(f"{what}_*.pb")))):
        cast("Any", Runner)._load_proto(None, str(folder / f"{what}_{number}.pb"), values, infos[number].type)
    return values


def _light(test: Any) -> Callable[[], tuple[onnx.ModelProto, Sequence[DataSet]]]:
    def load() -> tuple[onnx.ModelProto, Sequence[DataSet]]:
        path = Path(onnx.__file__).parents[1] / test.url
        model: onnx.ModelProto = cast("Any", onnx).load(path)
        initialized = {tensor.name for tensor in model.graph.initializer}
        inputs = [
            cast("Any", Runner).generate_dummy_data(value, seed=0, name=test.model_name, random=False)
            for value in model.graph.input
            if value.name not in initialized
        ]
        outputs = [
            numpy_helper.to_array(cast("Any", onnx).load_tensor(f"{path.with_suffix('')}_output_{number}.pb"))
            for number in range(len(model.graph.output))
        ]
        return model, [(inputs, outputs)]

    return load
