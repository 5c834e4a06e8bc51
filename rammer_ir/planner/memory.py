"""How much memory of a device a stage takes, under early backward scheduling (section 3.1 of the DAPPLE paper)."""

import math
from dataclasses import dataclass, replace

from rammer_ir.planner.latency import Stage
from rammer_ir.planner.states import States


@dataclass(frozen=True, slots=True)
class MemoryModel:
    """
    What fits into a device.

    `limit` is bytes a device, or infinite; `optimizer_scaling` is bytes for weights, gradients and optimizer state over
    bytes of weights; `peak_activation` is bytes a sample of the whole model's activations, which its stages share as
    the profile says.
    """

    limit: float
    optimizer_scaling: float
    peak_activation: float

    def stage_bytes(self, states: States, stage: Stage, in_flight: int, samples: int, global_batch: int) -> float:
        """
        Bytes of a device that runs a stage on `samples` samples a micro-batch, `in_flight` micro-batches at
        most.

        `states` are scaled to the global batch.
        """
        total = float(states.activations[-1])
        before = float(states.activations[stage.first - 1]) if stage.first else 0.0
        share = (float(states.activations[stage.last]) - before) / total if total else 0.0
        full = self.peak_activation * share * samples
        weights = float(states.parameters[stage.last]) - (
            float(states.parameters[stage.first - 1]) if stage.first else 0.0
        )
        if not stage.recompute:
            return weights * self.optimizer_scaling + in_flight * full
        given = float(states.outputs[stage.first - 1]) / global_batch * samples if stage.first else 0.0
        return weights * self.optimizer_scaling + in_flight * given + full


def device_samples(global_batch: int, micro_batches: int, devices: int) -> int:
    """Samples of a micro-batch that a device of a stage gets at most: samples are not split."""
    return math.ceil(global_batch / micro_batches / devices - 1e-9)


def plan_memory(
    model: MemoryModel,
    states: States,
    stages: tuple[Stage, ...],
    *,
    micro_batches: int,
    global_batch: int,
) -> list[float]:
    """Bytes of a device of each stage; stage x of S keeps S - x micro-batches in flight, or all if those are fewer."""
    return [
        model.stage_bytes(
            states,
            stage,
            min(len(stages) - x, micro_batches),
            device_samples(global_batch, micro_batches, len(stage.devices)),
            global_batch,
        )
        for x, stage in enumerate(stages)
    ]


def fitted(
    model: MemoryModel,
    states: States,
    stages: tuple[Stage, ...],
    *,
    micro_batches: int,
    global_batch: int,
) -> tuple[Stage, ...] | None:
    """The stages with recomputation where they do not fit without, or None where that does not help."""
    found: list[Stage] = []
    for x, stage in enumerate(stages):
        in_flight = min(len(stages) - x, micro_batches)
        samples = device_samples(global_batch, micro_batches, len(stage.devices))
        for choice in (replace(stage, recompute=False), replace(stage, recompute=True)):
            used = model.stage_bytes(states, choice, in_flight, samples, global_batch)
            if used <= model.limit:
                found.append(choice)
                break
        else:
            return None
    return tuple(found)
