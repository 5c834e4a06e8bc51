"""What the links between the processes of a run carry."""

import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any

from rammer_ir.errors import InvalidInputError
from rammer_ir.planner.instructions import split_rows
from rammer_ir.planner.links import Links
from rammer_ir.planner.run_time import BUCKET_BYTES
from rammer_ir.training.processes import Process
from rammer_ir.training.torch_extra import Tensor, import_torch

MESSAGE = {"nccl": 256 * 2**20, "gloo": 16 * 2**20}
"""Bytes: enough that bandwidth, not latency, is measured."""
REPEATS = 8


def measure_links(process: Process, per_machine: int) -> Links:
    """
    The bandwidths among all processes, of which `per_machine` share a machine; every process has to call this.

    Raises InvalidInputError where there is one process alone.
    """
    if process.ranks < 2:
        raise InvalidInputError("links are between two devices or more: there is one")
    torch = import_torch()
    probe = _Probe(process)
    pairs = [(rank, rank + 1) for rank in range(process.ranks - 1)]
    speeds = {pair: probe.transfer([pair[0]], [pair[1]]) for pair in pairs}
    within = [speed for (a, b), speed in speeds.items() if a // per_machine == b // per_machine]
    across = [speed for (a, b), speed in speeds.items() if a // per_machine != b // per_machine]
    everything = range(process.ranks)
    total = probe.all_reduce(everything)
    inside = probe.all_reduce(everything[:per_machine]) if per_machine < process.ranks and per_machine > 1 else total
    half = process.ranks // 2
    names: list[Any] = [None] * process.ranks
    name = torch.cuda.get_device_name(process.device) if process.device.type == "cuda" else "CPU"
    torch.distributed.all_gather_object(names, name)
    return Links(
        nvlink=min(within or across),
        p2p=min(across or within),
        nccl=total,
        reduce=inside,
        split_concat=probe.transfer(everything[:half], everything[half:]),
        backend=process.backend,
        devices=tuple(names),
        machines=-(-process.ranks // per_machine),
    )


class _Probe:
    """Times transfers of MESSAGE bytes; a time is that of the slowest process."""

    def __init__(self, process: Process):
        self._process = process
        self._torch = import_torch()
        self._size = MESSAGE[process.backend]
        self._data = self._torch.zeros(self._size, dtype=self._torch.uint8, device=process.device)

    def transfer(self, sources: Sequence[int], targets: Sequence[int]) -> float:
        """Bytes a second from some processes, each with its share, to others."""
        distributed = self._torch.distributed
        given = split_rows((0, self._size), len(sources))
        wanted = split_rows((0, self._size), len(targets))
        mine: list[tuple[Callable[..., Any], Tensor, int]] = []
        for source, (first, end) in zip(sources, given, strict=True):
            for target, (start, stop) in zip(targets, wanted, strict=True):
                part = self._data[max(first, start) : min(end, stop)]
                if len(part) and self._process.rank == source:
                    mine.append((distributed.isend, part, target))
                elif len(part) and self._process.rank == target:
                    mine.append((distributed.irecv, part, source))

        def run() -> None:
            if mine:
                operations = [distributed.P2POp(*operation) for operation in mine]
                for work in distributed.batch_isend_irecv(operations):
                    work.wait()

        return self._size / self._seconds(run)

    def all_reduce(self, ranks: Sequence[int]) -> float:
        """
        Bytes a second through each of some processes, by the count of a ring: 2 (n - 1) / n times the size.

        The message is sent in buckets, as gradients are.
        """
        distributed = self._torch.distributed
        group = distributed.new_group(list(ranks))
        buckets = self._data.view(self._torch.float32).split(int(BUCKET_BYTES) // 4)

        def run() -> None:
            if self._process.rank in ranks:
                for work in [distributed.all_reduce(bucket, group=group, async_op=True) for bucket in buckets]:
                    work.wait()

        return 2 * (len(ranks) - 1) / len(ranks) * self._size / self._seconds(run)

    def _seconds(self, run: Callable[[], None]) -> float:
        """Median seconds, after a run in which connections are made."""
        distributed = self._torch.distributed
        found: list[float] = []
        for _ in range(REPEATS + 1):
            distributed.barrier()
            self._synchronize()
            start = time.perf_counter()
            run()
            self._synchronize()
            seconds = self._torch.tensor([time.perf_counter() - start], device=self._process.device)
            distributed.all_reduce(seconds, op=distributed.ReduceOp.MAX)
            found.append(float(seconds))
        return statistics.median(found[1:])

    def _synchronize(self) -> None:
        if self._process.device.type == "cuda":
            self._torch.cuda.synchronize(self._process.device)
