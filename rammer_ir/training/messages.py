"""Transfers of rows between ranks: begun, and waited for where they are needed."""

from collections import deque
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from rammer_ir.dialects.pipeline_parallel import MessageOp, ProgramOp
from rammer_ir.errors import DeviceError
from rammer_ir.training.partition import Value
from rammer_ir.training.torch_extra import Tensor, import_torch


class LostPeerError(DeviceError):
    """The rank at the other end of a transfer has ended, or the link failed."""


Rows = tuple[int, int]

CHANNEL_BLOCKS = 4
"""Thread blocks of a GPU that a transfer takes which may have to wait while a pass runs."""


@contextmanager
def needing(peers: str) -> Generator[None]:
    """Raises LostPeerError, which names the peers, where a transfer fails."""
    try:
        yield
    except RuntimeError as error:
        raise LostPeerError(f"lost {peers}") from error


def make_channels(program: ProgramOp, rank: int, device: Any, *, few_blocks: bool) -> dict[tuple[int, int], Any]:
    """
    A process group for each direction between two ranks that send, so that sends never wait behind receives.

    With `few_blocks`, transfers take few blocks of a GPU. Every rank has to call this. Raises LostPeerError.
    """
    torch = import_torch()
    distributed = torch.distributed
    pairs = sorted(
        {
            (rank.number, op.peer)
            for rank in program.ranks
            for op in rank.instructions
            if isinstance(op, MessageOp) and op.name.endswith("send")
        }
    )
    options = _few_blocks() if few_blocks and device.type == "cuda" else None
    channels = {pair: distributed.new_group(sorted(pair), pg_options=options) for pair in pairs}
    # NCCL connects two ranks at their first transfer, and each waits until the other one begins it too. Here all ranks
    # come to their pairs in the same order; in a program, they might wait for each other in a circle.
    for (source, target), group in channels.items():
        if rank in (source, target):
            peer, begin = (target, distributed.isend) if rank == source else (source, distributed.irecv)
            with needing(f"rank {peer}, at the first contact"):
                begin(torch.zeros(1, device=device), peer, group=group).wait()
    return channels


def _few_blocks() -> Any:
    """How NCCL is to transfer while passes run: the blocks of a transfer that waits keep others from their SMs."""
    options = import_torch().distributed.ProcessGroupNCCL.Options()
    options.config.max_ctas = CHANNEL_BLOCKS
    return options


@dataclass(slots=True)
class Arrival:
    """Rows on their way to this rank: a buffer for each value, and the transfers that fill them."""

    rows: Rows
    peer: int
    buffers: list[Tensor]
    works: list[Any]

    def wait(self) -> list[Tensor]:
        """
        The buffers, once they are filled.

        Raises LostPeerError.
        """
        for work in self.works:
            with needing(f"rank {self.peer}, from which rows were to come"):
                work.wait()
        return self.buffers


@dataclass(slots=True)
class Messages:
    """The transfers of a rank."""

    rank: int
    device: Any
    channels: dict[tuple[int, int], Any]
    _sent: deque[tuple[int, Any, Tensor]] = field(default_factory=deque[tuple[int, Any, Tensor]])

    def receive(self, peer: int, rows: Rows, values: Sequence[Value]) -> Arrival:
        """Begins to receive rows of the values."""
        torch = import_torch()
        shape = rows[1] - rows[0]
        buffers = [torch.empty((shape, *value.shape), dtype=value.dtype, device=self.device) for value in values]
        group = self.channels[peer, self.rank]
        with needing(f"rank {peer}, from which rows were to come"):
            works = [torch.distributed.irecv(buffer, src=peer, group=group) for buffer in buffers]
        return Arrival(rows, peer, buffers, works)

    def send(self, peer: int, tensors: Sequence[Tensor]) -> None:
        """Begins to send tensors, which are kept until they have arrived."""
        distributed = import_torch().distributed
        while self._sent and self._sent[0][1].is_completed():
            self._sent.popleft()
        group = self.channels[self.rank, peer]
        for tensor in tensors:
            given = tensor.detach().contiguous()
            with needing(f"rank {peer}, which rows were to go to"):
                self._sent.append((peer, distributed.isend(given, dst=peer, group=group), given))

    def finish(self) -> None:
        """Waits until all that was sent has arrived."""
        while self._sent:
            peer, work, _ = self._sent.popleft()
            with needing(f"rank {peer}, which rows were to go to"):
                work.wait()
