"""The device that a module is compiled for."""

from dataclasses import asdict, dataclass

from xdsl.context import Context
from xdsl.dialects.builtin import DictionaryAttr, FloatAttr, ModuleOp, f64
from xdsl.rewriter import InsertPoint

from rammer_ir.cost.devices import DeviceDescription, describe_device
from rammer_ir.dialects.vdevice import DeviceOp
from rammer_ir.errors import InvalidInputError
from rammer_ir.locations import builder_at, location_of
from rammer_ir.pass_api import Pass


@dataclass(frozen=True)
class SetDevice(Pass):
    """
    Puts the description of a device (`h100`, `h200`, `host`) into the module, in place of any that it had.

    Passes that choose, and the proof, go by it. `veus` takes another number of vEUs than the device has.
    """

    name = "set-device"
    device: str
    veus: int | None = None

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        description = describe_device(self.device)
        if self.veus is not None and self.veus < 1:
            raise InvalidInputError(f"a device has at least one vEU, got {self.veus}")
        for other in [found for found in op.ops if isinstance(found, DeviceOp)]:
            other.detach()
            other.erase()
        builder_at(InsertPoint.at_start(op.body.block), location_of(op)).insert(device_op(description, self.veus))


def device_op(description: DeviceDescription, veus: int | None = None) -> DeviceOp:
    """The description as an op, with another number of vEUs if one is given."""
    rates = DictionaryAttr({name: FloatAttr(value, f64) for name, value in asdict(description.rates).items()})
    return DeviceOp(
        description.name,
        description.kind,
        veus=description.veus if veus is None else veus,
        threads=description.threads,
        shared_bytes=description.shared_bytes,
        registers=description.registers,
        rates=rates,
        source=description.source,
    )
