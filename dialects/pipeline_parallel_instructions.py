"""What a rank of a training pipeline does: the instructions of the `pipeline_parallel` dialect."""

from collections.abc import Sequence

from xdsl.dialects.builtin import DenseArrayBase, IntegerAttr, i64
from xdsl.dialects.utils import EnumAttribute
from xdsl.ir import SpacedOpaqueSyntaxAttribute
from xdsl.irdl import IRDLOperation, irdl_attr_definition, irdl_op_definition, prop_def
from xdsl.utils.exceptions import VerifyException
from xdsl.utils.str_enum import StrEnum

from rammer_ir.dialects.integers import integer, integers, values_of


class Payload(StrEnum):
    """What travels between stages: activations to the stage behind, gradients to the one in front."""

    ACTIVATION = "activation"
    GRADIENT = "gradient"


@irdl_attr_definition
class PayloadAttr(EnumAttribute[Payload], SpacedOpaqueSyntaxAttribute):
    """
    What a message holds: `activation` or `gradient`.

    Example: `#pipeline_parallel<payload activation>`
    """

    name = "pipeline_parallel.payload"


class PassOp(IRDLOperation):
    """A forward or backward pass of a micro-batch; `rows` is the part of the global batch that this rank computes."""

    micro_batch_ = prop_def(IntegerAttr.constr(i64), prop_name="micro_batch")
    rows_ = prop_def(DenseArrayBase.constr(i64), prop_name="rows")

    def __init__(self, micro_batch: int, rows: Sequence[int]) -> None:
        super().__init__(properties={"micro_batch": integer(micro_batch), "rows": integers(rows)})

    @property
    def micro_batch(self) -> int:
        return self.micro_batch_.value.data

    @property
    def rows(self) -> tuple[int, int]:
        """The first row, and the one behind the last."""
        first, end = values_of(self.rows_)
        return first, end

    def verify_(self) -> None:
        _verify_rows(self.rows_.get_values())


@irdl_op_definition
class ForwardOp(PassOp):
    """
    The forward pass of a rank's rows of a micro-batch.

    It waits for the activations of these rows, which receives in front of it have begun to take in. Stage 0 reads
    them from the batch.

    Example:
    ```mlir
    pipeline_parallel.forward 3 rows [24, 28]
    ```
    """

    name = "pipeline_parallel.forward"
    assembly_format = "$micro_batch `rows` $rows attr-dict"


@irdl_op_definition
class BackwardOp(PassOp):
    """
    The backward pass of a rank's rows of a micro-batch: adds to the gradients of the stage's parameters.

    It waits for the gradients of these rows; the last stage computes them from the loss.

    Example:
    ```mlir
    pipeline_parallel.backward 3 rows [24, 28]
    ```
    """

    name = "pipeline_parallel.backward"
    assembly_format = "$micro_batch `rows` $rows attr-dict"


class MessageOp(IRDLOperation):
    """Rows of a micro-batch on their way between two ranks: every tensor that crosses the cut, one after another."""

    payload_ = prop_def(PayloadAttr, prop_name="payload")
    micro_batch_ = prop_def(IntegerAttr.constr(i64), prop_name="micro_batch")
    rows_ = prop_def(DenseArrayBase.constr(i64), prop_name="rows")
    peer_ = prop_def(IntegerAttr.constr(i64), prop_name="peer")

    def __init__(self, payload: Payload, micro_batch: int, rows: Sequence[int], peer: int) -> None:
        super().__init__(
            properties={
                "payload": PayloadAttr(payload),
                "micro_batch": integer(micro_batch),
                "rows": integers(rows),
                "peer": integer(peer),
            }
        )

    @property
    def payload(self) -> Payload:
        return self.payload_.data

    @property
    def micro_batch(self) -> int:
        return self.micro_batch_.value.data

    @property
    def rows(self) -> tuple[int, int]:
        """The first row, and the one behind the last."""
        first, end = values_of(self.rows_)
        return first, end

    @property
    def peer(self) -> int:
        """The rank at the other end."""
        return self.peer_.value.data

    def verify_(self) -> None:
        _verify_rows(self.rows_.get_values())


@irdl_op_definition
class SendOp(MessageOp):
    """
    Begins to send rows that this rank has computed; nothing waits for the end.

    Example:
    ```mlir
    pipeline_parallel.send activation 3 rows [24, 26] to 4
    ```
    """

    name = "pipeline_parallel.send"
    assembly_format = "$payload $micro_batch `rows` $rows `to` $peer attr-dict"


@irdl_op_definition
class ReceiveOp(MessageOp):
    """
    Begins to receive rows, which the pass that needs them waits for.

    Messages from one rank to another are received in the order in which they were sent.

    Example:
    ```mlir
    pipeline_parallel.receive gradient 3 rows [24, 26] from 4
    ```
    """

    name = "pipeline_parallel.receive"
    assembly_format = "$payload $micro_batch `rows` $rows `from` $peer attr-dict"


@irdl_op_definition
class AllReduceOp(IRDLOperation):
    """
    Adds up the gradients of the stage's parameters over all of its ranks.

    A part of them may be under way as soon as the last backward pass in front has computed it.

    Example:
    ```mlir
    pipeline_parallel.all_reduce
    ```
    """

    name = "pipeline_parallel.all_reduce"
    assembly_format = "attr-dict"

    def __init__(self) -> None:
        super().__init__()


def _verify_rows(rows: Sequence[int]) -> None:
    if len(rows) != 2 or not 0 <= rows[0] < rows[1]:
        raise VerifyException("rows are a range [first, end) that holds at least one")
