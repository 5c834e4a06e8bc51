"""What a search is asked: a model on devices, and how its plans are rated."""

from dataclasses import dataclass

from rammer_ir.planner.cluster import Cluster
from rammer_ir.planner.latency import Candidate, Stage, pipeline_length
from rammer_ir.planner.memory import MemoryModel, fitted
from rammer_ir.planner.states import States


@dataclass(frozen=True)
class Problem:
    """A model scaled to its global batch, the devices, and what is allowed."""

    states: States
    cluster: Cluster
    global_batch: int
    min_micro_batch: int
    memory: MemoryModel

    def rated(self, stages: tuple[Stage, ...], pipelines: int, micro_batches: int) -> Candidate | None:
        """The plan with recomputation where memory needs it, and its speedup; None where it does not fit."""
        fitting = fitted(
            self.memory,
            self.states,
            stages,
            micro_batches=micro_batches,
            global_batch=self.global_batch,
        )
        if fitting is None:
            return None
        length = pipeline_length(self.states, self.cluster, fitting, pipelines=pipelines, micro_batches=micro_batches)
        return Candidate(float(self.states.compute[-1]) / length, fitting, pipelines, micro_batches)

    def shapes(self) -> list[tuple[int, int]]:
        """
        Numbers of pipelines and micro-batches: any number of pipelines, and samples a micro-batch from the smallest on,
        doubled.
        """
        found: list[tuple[int, int]] = []
        for pipelines in range(1, self.cluster.size + 1):
            micro_batch = self.min_micro_batch
            while (micro_batches := self.global_batch // pipelines // micro_batch) > 0:
                found.append((pipelines, micro_batches))
                micro_batch *= 2
        return list(dict.fromkeys(found))
