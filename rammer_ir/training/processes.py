"""The processes of a training run: one a GPU, or on CPUs, started by torchrun."""

import os
import subprocess
import sys
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from rammer_ir.errors import InvalidInputError, describe_exception
from rammer_ir.training.messages import LostPeerError
from rammer_ir.training.torch_extra import import_torch
from rammer_ir.training.watch import Watch

FIRST_CONTACT = timedelta(seconds=120)
"""How long processes wait for each other at the start."""


@dataclass(frozen=True, slots=True)
class Process:
    """One of the processes, with its device and what carries tensors between them: "nccl" or "gloo"."""

    rank: int
    ranks: int
    device: Any
    backend: str


def under_torchrun() -> bool:
    """Whether torchrun has started this process."""
    return "RANK" in os.environ and "WORLD_SIZE" in os.environ


def start_with_torchrun(processes: int, arguments: Sequence[str]) -> int:
    """Runs `rammer` with the arguments in as many processes; the exit code."""
    import_torch()
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"]
    threads = str(max(1, (os.cpu_count() or 1) // processes))
    environment = {"OMP_NUM_THREADS": threads, **os.environ}
    command = [*torchrun, "-m", "rammer_ir.cli.rammer", *arguments]
    return subprocess.run(command, env=environment, check=False).returncode


def has_gpus(processes: int) -> bool:
    """Whether there is a GPU for each process."""
    torch = import_torch()
    return bool(torch.cuda.is_available() and torch.cuda.device_count() >= processes)


@contextmanager
def joined(describe: Callable[[int], str], expected: int | None = None) -> Generator[Process]:
    """
    This process, as one of those that torchrun started; they watch each other until the end of the context.

    `describe` says what a rank is, in errors. Raises InvalidInputError where there are other than `expected` processes.
    """
    torch = import_torch()
    distributed = torch.distributed
    rank, ranks = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
    if expected is not None and ranks != expected:
        raise InvalidInputError(f"{ranks} processes, but {expected} are needed: torchrun --nproc-per-node={expected}")
    local = int(os.environ.get("LOCAL_RANK", rank))
    gpus = has_gpus(int(os.environ.get("LOCAL_WORLD_SIZE", ranks)))
    device = torch.device("cuda", local) if gpus else torch.device("cpu")
    if gpus:
        # A kernel that waits for another rank must not hold up what comes from other streams: each has its own queue.
        os.environ.setdefault("CUDA_DEVICE_MAX_CONNECTIONS", "32")
        torch.cuda.set_device(device)
    process = Process(rank, ranks, device, "nccl" if gpus else "gloo")
    store, _, _ = next(distributed.rendezvous("env://", rank, ranks, timeout=FIRST_CONTACT))
    watch = Watch(store, rank, ranks, describe)
    watch.start()
    try:
        groups = distributed.PrefixStore("groups", store)
        # Bound to its device, NCCL makes the links of a group when the group is made, by all ranks together. Made at
        # the first send, they would make ranks wait for each other in an order that no program was checked for.
        bound = {"device_id": device} if gpus else {}
        distributed.init_process_group(process.backend, store=groups, rank=rank, world_size=ranks, **bound)
        yield process
        distributed.barrier()
    except Exception as error:
        if isinstance(error, LostPeerError):
            watch.lost(error.message)
            error.message = f"{describe(rank)} {error.message}"
        watch.fail(describe_exception(error))
        raise
    watch.stop()
    distributed.destroy_process_group()
