"""What the instructions of all ranks of a `pipeline_parallel.program` have to obey together."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from xdsl.ir import Operation
from xdsl.utils.exceptions import VerifyException

from rammer_ir.dialects.pipeline_parallel_instructions import (
    AllReduceOp,
    BackwardOp,
    ForwardOp,
    MessageOp,
    PassOp,
    Payload,
    ReceiveOp,
    SendOp,
)

Rows = tuple[int, int]
Message = tuple[Payload, int, Rows]


def verify_ranks(stages: Sequence[Sequence[int]], ranks: Mapping[int, Sequence[Operation]], batch: int) -> None:
    """
    The rules of a program, given the ranks of each stage and the instructions of each rank.

    Each rank runs a forward and then a backward pass of each of its micro-batches, with all that they need received
    in front and only what they made sent behind. The ranks of a stage compute every row once. Ranks that share a stage
    add up their gradients once, at the end. Every receive has its send, in the same order between two ranks. No ranks
    wait for each other in a circle.

    Raises VerifyException, which names the rank.
    """
    for number, members in enumerate(stages):
        neighbours = {
            Payload.ACTIVATION: (
                stages[number - 1] if number else (),
                stages[number + 1] if number + 1 < len(stages) else (),
            ),
            Payload.GRADIENT: (
                stages[number + 1] if number + 1 < len(stages) else (),
                stages[number - 1] if number else (),
            ),
        }
        for rank in members:
            _verify_rank(rank, ranks[rank], neighbours)
            _verify_all_reduce(rank, ranks[rank], shared=len(members) > 1)
        computed = sorted(op.rows for rank in members for op in ranks[rank] if isinstance(op, ForwardOp))
        if not _covers(computed, (0, batch)):
            raise VerifyException(f"the ranks of stage {number} do not compute each of the {batch} rows once")
    _verify_channels(ranks)
    _verify_progress(ranks)


def _covers(parts: Sequence[Rows], whole: Rows) -> bool:
    """Whether sorted ranges follow each other from one end to the other."""
    position = whole[0]
    for first, end in parts:
        if first != position:
            return False
        position = end
    return position == whole[1]


def _verify_rank(
    rank: int,
    instructions: Sequence[Operation],
    neighbours: Mapping[Payload, tuple[Sequence[int], Sequence[int]]],
) -> None:
    """What a rank receives in front of its passes, and sends behind them; neighbours are senders and receivers."""
    received: dict[tuple[Payload, int], list[Rows]] = defaultdict(list)
    done: dict[tuple[Payload, int], Rows] = {}
    for op in instructions:
        match op:
            case ReceiveOp():
                _verify_peer(rank, op, neighbours[op.payload][0])
                if (op.payload, op.micro_batch) in done:
                    raise VerifyException(f"rank {rank} receives {_text(op)} behind the pass that needs it")
                received[op.payload, op.micro_batch].append(op.rows)
            case ForwardOp() | BackwardOp():
                payload = Payload.ACTIVATION if isinstance(op, ForwardOp) else Payload.GRADIENT
                _verify_pass(rank, op, payload, done)
                given = sorted(received[payload, op.micro_batch])
                if neighbours[payload][0] and not _covers(given, op.rows):
                    raise VerifyException(
                        f"rank {rank} does not receive each row of the {payload} {op.micro_batch} that it needs once"
                    )
            case SendOp():
                _verify_peer(rank, op, neighbours[op.payload][1])
                made = done.get((op.payload, op.micro_batch), (0, 0))
                if not made[0] <= op.rows[0] < op.rows[1] <= made[1]:
                    raise VerifyException(f"rank {rank} sends {_text(op)} which it has not computed")
            case _:
                pass
    if sum(payload == Payload.GRADIENT for payload, _ in done) * 2 != len(done):
        raise VerifyException(f"rank {rank} has a forward pass without a backward pass")


def _verify_pass(rank: int, op: PassOp, payload: Payload, done: dict[tuple[Payload, int], Rows]) -> None:
    if (payload, op.micro_batch) in done:
        raise VerifyException(f"rank {rank} runs a pass of micro-batch {op.micro_batch} twice")
    if payload == Payload.GRADIENT and done.get((Payload.ACTIVATION, op.micro_batch)) != op.rows:
        raise VerifyException(
            f"rank {rank} has no forward pass of the same rows in front of the backward pass of micro-batch "
            f"{op.micro_batch}"
        )
    done[payload, op.micro_batch] = op.rows


def _verify_peer(rank: int, op: MessageOp, allowed: Sequence[int]) -> None:
    if op.peer not in allowed:
        raise VerifyException(f"rank {rank} and rank {op.peer} are not of stages between which {op.payload}s travel so")


def _verify_all_reduce(rank: int, instructions: Sequence[Operation], *, shared: bool) -> None:
    count = sum(isinstance(op, AllReduceOp) for op in instructions)
    if count != int(shared):
        raise VerifyException(f"rank {rank} has {count} all_reduce, where its stage needs {int(shared)}")
    behind = False
    for op in instructions:
        if behind and isinstance(op, BackwardOp):
            raise VerifyException(f"rank {rank} adds up gradients in front of its last backward pass")
        behind = behind or isinstance(op, AllReduceOp)


def _text(message: MessageOp) -> str:
    return f"{message.payload} {message.micro_batch} rows [{message.rows[0]}, {message.rows[1]}]"


def _content(message: MessageOp) -> Message:
    return message.payload, message.micro_batch, message.rows


def _verify_channels(ranks: Mapping[int, Sequence[Operation]]) -> None:
    """Messages from one rank to another are received in the order in which they are sent."""
    sent: dict[tuple[int, int], list[MessageOp]] = defaultdict(list)
    received: dict[tuple[int, int], list[MessageOp]] = defaultdict(list)
    for rank, instructions in ranks.items():
        for op in instructions:
            if isinstance(op, SendOp):
                sent[rank, op.peer].append(op)
            elif isinstance(op, ReceiveOp):
                received[op.peer, rank].append(op)
    for channel in sorted({*sent, *received}):
        source, target = channel
        for position in range(max(len(sent[channel]), len(received[channel]))):
            there, here = sent[channel][position : position + 1], received[channel][position : position + 1]
            if not there:
                raise VerifyException(f"rank {target} receives {_text(here[0])} that rank {source} does not send")
            if not here:
                raise VerifyException(f"rank {source} sends {_text(there[0])} that rank {target} does not receive")
            if _content(there[0]) != _content(here[0]):
                raise VerifyException(
                    f"rank {target} receives {_text(here[0])} from rank {source} where {_text(there[0])} is sent"
                )


def _verify_progress(ranks: Mapping[int, Sequence[Operation]]) -> None:
    """
    All ranks reach their end, each going on until a pass needs what has not been sent yet.

    Sends and receives do not wait. A sum over a stage is at the end of its ranks, behind all passes, so that it cannot
    be part of a circle.
    """
    position = dict.fromkeys(ranks, 0)
    sent: set[tuple[int, int, Message]] = set()
    needs: dict[int, list[tuple[int, int, Message]]] = {rank: [] for rank in ranks}
    while any([_advance(rank, ranks[rank], position, sent, needs[rank]) for rank in ranks]):
        pass
    for rank, instructions in ranks.items():
        stuck = next(iter(instructions[position[rank] :]), None)
        if isinstance(stuck, PassOp):
            raise VerifyException(
                f"a deadlock: rank {rank} waits for ever with {stuck.name} of micro-batch {stuck.micro_batch}"
            )


def _advance(
    rank: int,
    instructions: Sequence[Operation],
    position: dict[int, int],
    sent: set[tuple[int, int, Message]],
    needs: list[tuple[int, int, Message]],
) -> bool:
    """Runs a rank as far as it goes; whether that was any further than before."""
    start = position[rank]
    while position[rank] < len(instructions):
        op = instructions[position[rank]]
        match op:
            case SendOp():
                sent.add((rank, op.peer, _content(op)))
            case ReceiveOp():
                needs.append((op.peer, rank, _content(op)))
            case ForwardOp() | BackwardOp():
                payload = Payload.ACTIVATION if isinstance(op, ForwardOp) else Payload.GRADIENT
                mine = [need for need in needs if need[2][:2] == (payload, op.micro_batch)]
                if any(need not in sent for need in mine):
                    break
                needs[:] = [need for need in needs if need not in mine]
            case _:
                pass
        position[rank] += 1
    return position[rank] > start
