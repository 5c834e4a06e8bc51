"""`plan` and `plan_sweep`: from a profile to a plan."""

import math
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

from rammer_ir.errors import InvalidInputError
from rammer_ir.planner.best import plan_best
from rammer_ir.planner.cluster import Cluster
from rammer_ir.planner.dapple import plan_dapple
from rammer_ir.planner.data_parallel import data_parallel
from rammer_ir.planner.hpgo import plan_hpgo
from rammer_ir.planner.latency import Candidate, recomputed, stage_compute
from rammer_ir.planner.memory import MemoryModel, plan_memory
from rammer_ir.planner.plan import Estimate, Plan
from rammer_ir.planner.problem import Problem
from rammer_ir.planner.profile import read_profile
from rammer_ir.planner.run_time import run_times
from rammer_ir.planner.simulator import simulated_length, warmup_depths
from rammer_ir.planner.states import States, model_states

SearchPolicy = Literal["hpgo", "dapple", "best"]
SEARCH_POLICIES: tuple[SearchPolicy, ...] = ("hpgo", "dapple", "best")
GPU_MEMORY = 16e9
"""Bytes of a device where no limit is given: what HPGO's speedups of data parallelism count on."""


@dataclass(frozen=True, slots=True)
class Request:
    """What to plan for; see `plan`."""

    profile_batch: int
    cluster: Cluster
    min_micro_batch: int = 1
    memory: float | None = None
    optimizer_memory_scaling: float = 1.0
    peak_activation: float | None = None
    policy: SearchPolicy = "best"

    def __post_init__(self) -> None:
        for name in ("profile_batch", "min_micro_batch"):
            if getattr(self, name) < 1:
                raise InvalidInputError(f"{name.replace('_', '-')} has to be one or more")
        for name in ("memory", "optimizer_memory_scaling", "peak_activation"):
            value = getattr(self, name)
            if value is not None and not 0 < value < math.inf:
                raise InvalidInputError(f"{name.replace('_', '-')} has to be a positive number")


def plan(
    profile: str | Path,
    profile_batch: int,
    global_batch: int,
    devices: Sequence[int],
    *,
    min_micro_batch: int = 1,
    memory: float | None = None,
    optimizer_memory_scaling: float = 1.0,
    peak_activation: float | None = None,
    nvlink: float = 25e9,
    p2p: float = 1e9,
    nccl: float = 3e9,
    policy: SearchPolicy = "best",
) -> Plan:
    """
    How the devices should share the training of a profiled model.

    `devices` says where machines end: (8, 16) is two machines of eight. `memory` is bytes that a plan may use of a
    device; without it, plans are not limited, and the speedups of data parallelism count on 16e9. Bandwidths are
    bytes a second.

    Raises OSError, and InvalidInputError where the profile or an argument is wrong, or no plan fits into the memory.
    """
    cluster = Cluster(tuple(devices), nvlink, p2p, nccl)
    request = Request(
        profile_batch, cluster, min_micro_batch, memory, optimizer_memory_scaling, peak_activation, policy
    )
    return plan_sweep(profile, request, [global_batch])[0]


def plan_sweep(profile: str | Path, request: Request, global_batches: Sequence[int]) -> list[Plan]:
    """
    Plans for several global batches: the profile is read once, and all cores plan.

    Raises what `plan` raises.
    """
    for global_batch in global_batches:
        if global_batch < request.min_micro_batch:
            raise InvalidInputError(f"a global batch of {global_batch} has no micro-batch of {request.min_micro_batch}")
    states = model_states(read_profile(profile))
    one: Callable[[int], Plan] = partial(plan_states, states, request)
    workers = min(len(global_batches), len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1)
    if workers < 2:
        return [one(global_batch) for global_batch in global_batches]
    with ProcessPoolExecutor(workers) as pool:
        return list(pool.map(one, global_batches))


def plan_states(states: States, request: Request, global_batch: int) -> Plan:
    """The plan for a model's states at the profile's batch."""
    per_sample = float(states.activations[-1]) / request.profile_batch
    peak = per_sample if request.peak_activation is None else request.peak_activation
    scaled = states.scaled(global_batch / request.profile_batch)
    limit = math.inf if request.memory is None else request.memory
    memory = MemoryModel(limit, request.optimizer_memory_scaling, peak)
    candidate, proved = _search(scaled, request, global_batch, memory)
    baseline = data_parallel(
        scaled,
        request.cluster,
        global_batch,
        peak,
        GPU_MEMORY if request.memory is None else request.memory,
        request.optimizer_memory_scaling,
    )
    used = plan_memory(
        memory,
        scaled,
        candidate.stages,
        micro_batches=candidate.micro_batches,
        global_batch=global_batch,
    )
    return Plan(
        policy=request.policy,
        speedup=candidate.speedup,
        stages=candidate.stages,
        pipelines=candidate.pipelines,
        micro_batches=candidate.micro_batches,
        micro_batch=global_batch / (candidate.pipelines * candidate.micro_batches),
        global_batch=global_batch,
        data_parallel=baseline,
        memory=tuple(used),
        memory_limit=request.memory,
        estimate=estimate_plan(scaled, request.cluster, candidate),
        states=states.names,
        proved_best=proved,
    )


def _search(states: States, request: Request, global_batch: int, memory: MemoryModel) -> tuple[Candidate, bool]:
    cluster, smallest = request.cluster, request.min_micro_batch
    if request.policy == "dapple":
        return plan_dapple(states, cluster, global_batch, smallest), False
    shipped = plan_hpgo(states, cluster, global_batch, smallest)
    if request.policy == "hpgo":
        return shipped, False
    found = plan_best(Problem(states, cluster, global_batch, smallest, memory), shipped)
    if found.candidate is None:
        raise InvalidInputError(
            f"no plan fits into {memory.limit:g} bytes of each of {cluster.size} devices, even with recomputation"
        )
    return found.candidate, found.proved


def estimate_plan(states: States, cluster: Cluster, plan: Candidate) -> Estimate:
    """The times of a plan for states at its global batch, and how long the simulator takes it to be."""
    forward: list[float] = []
    backward: list[float] = []
    for stage in plan.stages:
        share = len(stage.devices) * plan.micro_batches
        ahead = float(states.forward[stage.last] - (states.forward[stage.first - 1] if stage.first else 0.0))
        both = stage_compute(states, stage.first, stage.last)
        forward.append(ahead / share)
        backward.append((both - ahead + recomputed(states, stage)) / share)
    parameters = [
        float(states.parameters[stage.last] - (states.parameters[stage.first - 1] if stage.first else 0.0))
        for stage in plan.stages
    ]
    run = run_times([states] * len(plan.stages), cluster, plan)
    estimate = Estimate(
        seconds=float(states.compute[-1]) / plan.speedup,
        simulated_seconds=0.0,
        run_seconds=run.seconds(plan.micro_batches),
        receives_ahead=run.receives_ahead,
        forward=tuple(forward),
        backward=tuple(backward),
        all_reduce=tuple(
            cluster.all_reduce(stage.devices) * size for stage, size in zip(plan.stages, parameters, strict=True)
        ),
        transfer=tuple(
            cluster.transfer(a.devices, b.devices) * float(states.outputs[a.last]) / plan.micro_batches
            for a, b in zip(plan.stages, plan.stages[1:], strict=False)
        ),
    )
    times = estimate.pipeline_times()
    depths = warmup_depths("A", len(times.forward), plan.micro_batches)
    return estimate.with_simulated(simulated_length(times, plan.micro_batches, depths))
