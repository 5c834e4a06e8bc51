"""The rates that a module's device states."""

from xdsl.dialects.builtin import DictionaryAttr, FloatAttr

from rammer_ir.cost.devices.description import Rates
from rammer_ir.dialects.vdevice import DeviceOp
from rammer_ir.errors import PassError
from rammer_ir.locations import describe_op


def rates_of(device: DeviceOp) -> Rates:
    """The device's rates; raises PassError where one is missing."""
    values: dict[str, float] = {}
    if isinstance(device.rates, DictionaryAttr):
        values = {name: rate.value.data for name, rate in device.rates.data.items() if isinstance(rate, FloatAttr)}
    try:
        return Rates.of(values)
    except KeyError as error:
        name = f"@{device.sym_name.data}"
        raise PassError(f"device {name} has no rate {error}: see set-device", location=describe_op(device)) from error
