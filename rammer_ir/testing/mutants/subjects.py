"""The programs whose schedules are broken: of every strategy, written by hand, and random ones."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from xdsl.dialects.builtin import ModuleOp

from rammer_ir.context import new_context
from rammer_ir.demo.models import gru_model, mlp_model
from rammer_ir.parsing import parse_module
from rammer_ir.passes.vdevice.expand_tasks import ExpandTasks
from rammer_ir.pipelines import STRATEGIES
from rammer_ir.scheduling.program_form import programs_of
from rammer_ir.testing.lowered_models import lower_model
from rammer_ir.testing.lstm_pair import ON_HOST, LstmPair, lower_pair
from rammer_ir.testing.mutants.judging import Subject
from rammer_ir.testing.mutants.random_programs import random_program
from rammer_ir.testing.small_models import SMALL_MODELS

LENGTHS = ({"n": 0}, {"n": 1}, {"n": 3})
"""Run-time lengths that the LSTM pair is run with."""

PAIRS = {
    "LSTM pair, words": ON_HOST,
    "LSTM pair, events": replace(ON_HOST, events=True),
    "LSTM pair on 6 vEUs, words": replace(ON_HOST, hidden=12, veus=3),
    "LSTM pair on 6 vEUs, events": replace(ON_HOST, hidden=12, veus=3, events=True),
}

MODELS = {
    **SMALL_MODELS,
    "gru": lambda: gru_model(layers=1, steps=3, hidden=32),
    "wide mlp": lambda: mlp_model((64, 96, 96, 96, 32), batch=24),
}


def _pair(pair: LstmPair) -> Callable[[str], Subject]:
    return lambda name: Subject(name, lower_pair(pair).module, LENGTHS)


def _model(model: str, strategy: str, *, expanded: bool = False) -> Callable[[str], Subject]:
    def make(name: str) -> Subject:
        module = lower_model(MODELS[model](), f"set-device{{device=host veus=3}},{strategy}").module
        if expanded:
            ExpandTasks().apply(new_context(), module)
        return Subject(name, module)

    return make


def _text(text: Callable[[], str], device: str = "") -> Callable[[str], Subject]:
    def make(name: str) -> Subject:
        module = parse_module(new_context(), device + text())
        module.verify()
        return Subject(name, module, _lengths(module))

    return make


def _lengths(module: ModuleOp) -> tuple[dict[str, int], ...]:
    (program,) = programs_of(module)
    names = program.names[len(program.tensors) :]
    return tuple(dict.fromkeys(names, number) for number in (0, 1, 3)) if names else ({},)


DEVICE = 'vdevice.device @device kind "host" veus 4 threads 1024 shared 262144 registers 0\n'
"""For programs in files that name a device and leave to the reader which."""


def subjects(programs: Path, random: int = 12) -> dict[str, Callable[[str], Subject]]:
    """
    All programs by name, made when called with their name.

    `programs` is the folder of programs written by hand, `random` how many random programs there are of each kind.
    """
    found: dict[str, Callable[[str], Subject]] = {name: _pair(pair) for name, pair in PAIRS.items()}
    found["event chain"] = _text((programs / "event_chain.mlir").read_text)
    for file in sorted((programs / "emission").glob("*.mlir")):
        found[file.stem] = _text(file.read_text, DEVICE)
    for model in MODELS:
        for strategy in STRATEGIES:
            found[f"{model}, {strategy}"] = _model(model, strategy)
    for model in ("mlp", "convolutions"):
        found[f"{model}, persistent, expanded"] = _model(model, "persistent", expanded=True)
    for seed in range(random):
        layers, veus = 3 + seed % 3, 2 + seed % 3
        found[f"random, events {seed}"] = _text(
            lambda seed=seed, layers=layers, veus=veus: random_program(seed, veus=veus, layers=layers)
        )
        found[f"random, barriers {seed}"] = _text(
            lambda seed=seed, layers=layers, veus=veus: random_program(seed, veus=veus, layers=layers, barriers=True)
        )
    return found
