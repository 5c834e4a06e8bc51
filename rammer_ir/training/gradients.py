"""The gradients of a stage, in buckets that are summed over its ranks while the last backward pass goes on."""

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

from rammer_ir.planner.run_time import BUCKET_BYTES
from rammer_ir.training.messages import needing
from rammer_ir.training.torch_extra import Tensor, import_torch


class GradientSum:
    """
    Gradients of the parameters as views into buckets.

    The last parameters come first: their gradients are computed first. All ranks of `group` send buckets in this order.
    """

    def __init__(self, parameters: Sequence[Tensor], group: Any):
        self._group = group
        self._buckets: list[Tensor] = []
        self._members: list[int] = []
        self._waiting: list[int] = []
        self._works: list[Any] = []
        self._armed = False
        for members in _bucketed([value for value in reversed(parameters) if value.requires_grad]):
            self._add(members)
        # The first sum of each size connects the ranks, in which they wait for each other.
        self._send(len(self._buckets))
        self.finish()

    def _add(self, members: Sequence[Tensor]) -> None:
        torch = import_torch()
        number, offset = len(self._buckets), 0
        first = members[0]
        bucket = torch.zeros(sum(value.numel() for value in members), dtype=first.dtype, device=first.device)
        for value in members:
            value.grad = bucket[offset : offset + value.numel()].view_as(value)
            offset += value.numel()
            value.register_post_accumulate_grad_hook(partial(self._ready, number))
        self._buckets.append(bucket)
        self._members.append(len(members))

    def clear(self) -> None:
        """Sets all gradients to zero."""
        for bucket in self._buckets:
            bucket.zero_()

    def expect_last(self) -> None:
        """The backward pass that follows is the last one: what it completes may be sent."""
        self._armed = True
        self._waiting = list(self._members)

    def finish(self) -> None:
        """Sends what has not been sent, and waits for all."""
        self._send(len(self._buckets))
        with needing("a rank of this stage, in the sum of gradients"):
            for work in self._works:
                work.wait()
        self._works.clear()
        self._armed = False

    def _ready(self, number: int, _: Tensor) -> None:
        if not self._armed:
            return
        self._waiting[number] -= 1
        end = len(self._works)
        while end < len(self._waiting) and not self._waiting[end]:
            end += 1
        self._send(end)

    def _send(self, end: int) -> None:
        """Begins to sum the buckets up to `end`."""
        distributed = import_torch().distributed
        while len(self._works) < end:
            bucket = self._buckets[len(self._works)]
            self._works.append(distributed.all_reduce(bucket, group=self._group, async_op=True))


def _bucketed(parameters: Sequence[Tensor]) -> Iterator[list[Tensor]]:
    """Neighbours of one dtype, up to BUCKET_BYTES."""
    bucket: list[Tensor] = []
    for value in parameters:
        size = sum(other.numel() * other.element_size() for other in bucket)
        if bucket and (value.dtype != bucket[0].dtype or size + value.numel() * value.element_size() > BUCKET_BYTES):
            yield bucket
            bucket = []
        bucket.append(value)
    if bucket:
        yield bucket
