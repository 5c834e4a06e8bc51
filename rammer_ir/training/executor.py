"""Runs the instructions of one rank of a `pipeline_parallel.program` on torch.distributed."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rammer_ir.dialects.pipeline_parallel import (
    AllReduceOp,
    BackwardOp,
    ForwardOp,
    Payload,
    ProgramOp,
    ReceiveOp,
    SendOp,
)
from rammer_ir.training.gradients import GradientSum
from rammer_ir.training.messages import Arrival, Messages, make_channels
from rammer_ir.training.model_file import TrainingModel
from rammer_ir.training.stage import StagePart, rows_of
from rammer_ir.training.torch_extra import Tensor, import_torch

Rows = tuple[int, int]


@dataclass(slots=True)
class _InFlight:
    """
    A micro-batch between its forward and its backward pass; the outputs of the last stage are its share of the loss.
    """

    rows: Rows
    inputs: list[Tensor]
    outputs: list[Tensor]


class RankExecutor:
    """
    A rank of a program.

    Every rank has to make one, because process groups are made by all together: one for each direction between two
    ranks, and one for each stage. `part` is None for a rank without a stage. `receives_ahead` says that transfers wait
    while passes run.
    """

    def __init__(
        self,
        program: ProgramOp,
        rank: int,
        model: TrainingModel,
        part: StagePart | None,
        device: Any,
        *,
        receives_ahead: bool,
    ):
        torch = import_torch()
        channels = make_channels(program, rank, device, few_blocks=receives_ahead)
        groups = [torch.distributed.new_group(sorted(stage.ranks)) for stage in program.stages]
        self._messages = Messages(rank, device, channels)
        self._model = model
        self._device = device
        self._batch = program.batch
        self._stage = part
        own = next((op for op in program.ranks if op.number == rank), None)
        self._instructions = [] if own is None else own.instructions
        self.gradients: GradientSum | None = None
        self.parameters: Sequence[Tensor] = () if part is None else part.part.parameters
        if own is not None and any(isinstance(op, AllReduceOp) for op in self._instructions):
            self.gradients = GradientSum(self.parameters, groups[own.stage])
        passes = [number for number, op in enumerate(self._instructions) if isinstance(op, BackwardOp)]
        self._last_pass = passes[-1] if passes else -1
        self._arriving: dict[tuple[Payload, int], list[Arrival]] = defaultdict(list)
        self._flying: dict[int, _InFlight] = {}
        self._returned = _InFlight((0, 0), [], [])
        self._loss: Tensor = torch.zeros((), device=device)

    def iterate(self, inputs: Sequence[Tensor], targets: Any) -> Tensor:
        """
        One iteration over a global batch; afterwards, parameters have their gradients.

        Returns this rank's part of the loss, which is a mean over the batch. Raises LostPeerError.
        """
        torch = import_torch()
        self._loss = torch.zeros((), device=self._device)
        self._clear()
        for number, op in enumerate(self._instructions):
            match op:
                case ReceiveOp():
                    self._receive(op)
                case ForwardOp():
                    self._forward(op, inputs, targets)
                case BackwardOp():
                    if number == self._last_pass and self.gradients is not None:
                        self.gradients.expect_last()
                    self._backward(op)
                case SendOp():
                    self._send(op)
                case _:
                    assert self.gradients is not None
                    self.gradients.finish()
        self._messages.finish()
        return self._loss

    def _clear(self) -> None:
        if self.gradients is not None:
            self.gradients.clear()
            return
        for parameter in self.parameters:
            parameter.grad = None

    def _receive(self, op: ReceiveOp) -> None:
        assert self._stage is not None
        part = self._stage.part
        values = part.inputs if op.payload == Payload.ACTIVATION else [v for v in part.outputs if v.has_gradient]
        self._arriving[op.payload, op.micro_batch].append(self._messages.receive(op.peer, op.rows, values))

    def _arrived(self, payload: Payload, micro_batch: int) -> list[Tensor]:
        """The values of a micro-batch, their rows put together."""
        arrivals = sorted(self._arriving.pop((payload, micro_batch), []), key=lambda arrival: arrival.rows)
        parts = [arrival.wait() for arrival in arrivals]
        if len(parts) < 2:
            return parts[0] if parts else []
        return [import_torch().cat(rows) for rows in zip(*parts, strict=True)]

    def _forward(self, op: ForwardOp, inputs: Sequence[Tensor], targets: Any) -> None:
        assert self._stage is not None
        first, end = op.rows
        given = self._arrived(Payload.ACTIVATION, op.micro_batch)
        for value, tensor in zip(self._stage.part.inputs, given, strict=True):
            tensor.requires_grad_(value.has_gradient)
        outputs = self._stage.forward(given, [rows_of(tensor, first, end, self._device) for tensor in inputs])
        if self._stage.part.is_last:
            loss = self._model.loss(outputs[0], rows_of(targets, first, end, self._device))
            outputs = [loss * ((end - first) / self._batch)]
            self._loss += outputs[0].detach()
        self._flying[op.micro_batch] = _InFlight(op.rows, given, outputs)

    def _backward(self, op: BackwardOp) -> None:
        assert self._stage is not None
        torch = import_torch()
        part = self._stage.part
        flying = self._flying.pop(op.micro_batch)
        if part.is_last:
            roots, gradients = flying.outputs, None
        else:
            values = zip(part.outputs, flying.outputs, strict=True)
            roots = [tensor for value, tensor in values if value.has_gradient]
            gradients = self._arrived(Payload.GRADIENT, op.micro_batch)
        if roots:
            torch.autograd.backward(roots, gradients)
        returned = [
            torch.zeros_like(tensor) if tensor.grad is None else tensor.grad
            for value, tensor in zip(part.inputs, flying.inputs, strict=True)
            if value.has_gradient
        ]
        self._returned = _InFlight(op.rows, [], returned)

    def _send(self, op: SendOp) -> None:
        made = self._flying[op.micro_batch] if op.payload == Payload.ACTIVATION else self._returned
        first, end = op.rows[0] - made.rows[0], op.rows[1] - made.rows[0]
        self._messages.send(op.peer, [tensor[first:end] for tensor in made.outputs])
