"""Devices that programs are made for: one file each, with the source of its numbers."""

from collections.abc import Callable
from importlib import import_module

from rammer_ir.cost.devices.description import DeviceDescription
from rammer_ir.errors import InvalidInputError

DEVICES: dict[str, str] = {
    "h100": "rammer_ir.cost.devices.h100",
    "h200": "rammer_ir.cost.devices.h200",
    "host": "rammer_ir.cost.devices.host",
}
"""Name to the module whose `describe()` gives the description."""


def describe_device(name: str) -> DeviceDescription:
    """The description of the device of that name; raises InvalidInputError for unknown names."""
    if name not in DEVICES:
        raise InvalidInputError(f"unknown device '{name}': choose from {', '.join(DEVICES)}")
    describe: Callable[[], DeviceDescription] = import_module(DEVICES[name]).describe
    return describe()


__all__ = ["DEVICES", "DeviceDescription", "describe_device"]
