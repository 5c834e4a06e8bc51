"""A model that is specialised while it is used, with the face of a program."""

import threading
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from rammer_ir.compiled import CompiledProgram
from rammer_ir.errors import InvalidInputError
from rammer_ir.frontend.preparation import PreparedModel
from rammer_ir.host_function.values import HostValue
from rammer_ir.program import Program
from rammer_ir.report import ProgramReport
from rammer_ir.runtime.interface import LoadedProgram, Measurement
from rammer_ir.runtime.program_image import Binding
from rammer_ir.runtime.wall_time import measure_wall_time
from rammer_ir.settings import Settings
from rammer_ir.specialisation.adaptive_graph import AdaptiveGraph
from rammer_ir.specialisation.arguments import Parameter, checked_arguments
from rammer_ir.specialisation.graph import Graph
from rammer_ir.specialisation.session import Compile, Session

if TYPE_CHECKING:
    from numpy.typing import NDArray

MOST_VARIANTS: Final = 16
"""Variants of one model that are kept."""


NOTHING: Final = ProgramReport(**dict.fromkeys((field.name for field in fields(ProgramReport)), 0))
"""The report of no program."""


class RecompilationWarning(UserWarning):
    """A model is compiled again because its shapes or parameters changed."""


class SpecialisedProgram(Program):
    """
    A model whose shapes vary, or are decided by values: compiled when it is first run with them.

    `run` takes and gives NumPy arrays (of strings, dtype object), lists for sequences and None for empty optionals.
    What a program tells of itself (`report`, `ir`, `source`, ...) is of the one that was compiled last.
    """

    def __init__(self, model: PreparedModel, name: str, compile: Compile, settings: Settings) -> None:
        self.device = str(settings.target)
        self._settings = settings
        self._parameters = [Parameter.of(info) for info in model.inputs]
        self._declared_outputs = model.declared_outputs
        graph = Graph(
            name,
            model.nodes,
            tuple(parameter.name for parameter in self._parameters),
            tuple(dict.fromkeys(model.outputs)),
            model.constants,
            model.opsets,
            model.loader,
        )
        self._session = Session(compile, MOST_VARIANTS)
        self._graph = AdaptiveGraph(graph, self._session)
        self._lock = threading.Lock()
        self._is_announced = False

    def run(self, inputs: Mapping[str, object]) -> "dict[str, NDArray[Any]]":
        """
        Run once; compiles first where no variant fits the inputs.

        Raises InvalidInputError where an input is missing or does not fit, UnsupportedModelError for what cannot be
        compiled, and what running a program raises.
        """
        values = checked_arguments(self._parameters, inputs, self._graph.graph.name)
        with self._lock:
            before = self._graph.variants
            results = self._graph.run(values)
            if before and self._graph.variants > before:
                self._announce()
        return {name: _own(value, values) for name, value in results.items()}

    def _announce(self) -> None:
        if not self._is_announced:
            self._is_announced = True
            warnings.warn(
                f"{self._graph.graph.name}: compiled again for other shapes or parameters, as it will be for each that "
                "is new; fix them with shapes= (or --shape), or give constants",
                RecompilationWarning,
                stacklevel=3,
            )

    @property
    def variants(self) -> int:
        return self._graph.variants

    @property
    def host_ops(self) -> frozenset[str]:
        """The ops that the host has run so far: none where all was compiled."""
        return frozenset(self._session.host_ops)

    @property
    def inputs(self) -> Sequence[Binding]:
        """Names and dtypes of what `run` takes; extents of -1 may be any."""
        return [parameter.binding for parameter in self._parameters]

    @property
    def outputs(self) -> Sequence[Binding]:
        """Names and dtypes of what `run` gives, as the model declares them; extents of -1 may be any."""
        return [Parameter.of(info).binding for info in self._declared_outputs]

    @property
    def strategy(self) -> str:
        return self._settings.strategy

    @property
    def precision(self) -> str:
        return self._settings.precision

    @property
    def compile_seconds(self) -> dict[str, float]:
        return {} if self._session.latest is None else self._session.latest.compile_seconds

    @property
    def report(self) -> ProgramReport:
        """Of the program that was compiled last; nothing but zeros where the host did everything."""
        return NOTHING if self._session.latest is None else self._session.latest.report

    @property
    def compiled(self) -> CompiledProgram:
        """What was compiled last; raises InvalidInputError before the first run."""
        return self._latest.compiled

    @property
    def loaded(self) -> LoadedProgram:
        """What was loaded last; raises InvalidInputError before the first run."""
        return self._latest.loaded

    @property
    def _latest(self) -> Program:
        if self._session.latest is None:
            raise InvalidInputError(
                "nothing is compiled before the first run, which tells the shapes: run it, or fix them with shapes= "
                "(or --shape)",
                location=self._graph.graph.name,
            )
        return self._session.latest

    def measure(self, inputs: Mapping[str, object], *, runs: int = 100, warmup: int = 10) -> Measurement:
        """Wall time of `runs` calls of :meth:`run`, after `warmup` that do not count."""
        return measure_wall_time(lambda: self.run(inputs), runs=runs, warmup=warmup)

    def save(self, path: str | Path, *, keep_ir: bool = False) -> None:
        """Raises InvalidInputError: a file holds one program, and this is made of several, or of none yet."""
        raise InvalidInputError(
            "a model whose shapes vary cannot be saved: fix them with shapes= (or --shape)",
            location=self._graph.graph.name,
        )

    def close(self) -> None:
        """Free all variants."""
        with self._lock:
            self._graph.close()


def _own(value: HostValue, inputs: Mapping[str, HostValue]) -> Any:
    """The value as an array of its own where it is one of the inputs; else as it is."""
    is_input = any(value is given for given in inputs.values())
    return value.copy() if is_input and isinstance(value, np.ndarray) else value
