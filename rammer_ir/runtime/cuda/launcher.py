"""The kernels of a program on a device, with the memory that is theirs alone: tables, counters, the failure record."""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from rammer_ir.errors import DeviceError
from rammer_ir.runtime.cuda.arguments import FixedArguments, LaunchArguments
from rammer_ir.runtime.cuda.build import BuiltKernel, BuiltProgram
from rammer_ir.runtime.cuda.dispatcher import KERNEL_NAME
from rammer_ir.runtime.cuda.driver import Device
from rammer_ir.runtime.cuda.failure import FailureRecord
from rammer_ir.runtime.cuda.graph import GraphCache, KernelGraph
from rammer_ir.runtime.cuda.layout import WINDOW_INSTRUCTIONS, bank_bytes
from rammer_ir.runtime.cuda.memory import DeviceMemory, MappedMemory
from rammer_ir.runtime.launch_graph import LaunchNode, launch_graph, launch_order
from rammer_ir.runtime.program_image import INSTRUCTION_WORDS, LaunchImage, ProgramImage

_CONTROL_BYTES: Final = 256
_TRACE_OFFSET: Final = 16
"""Of `trace` and `trace_capacity` in `rammer::Control`."""


class Launcher:
    """
    Submits the launches of one program.

    Raises DeviceError if a launch has more vEUs than the device keeps resident, or needs too much shared memory.
    """

    def __init__(self, device: Device, image: ProgramImage, built: BuiltProgram, timeout_seconds: float):
        self._device: Final = device
        self._image: Final = image
        self._report: Final = MappedMemory(device, FailureRecord)
        self._bank_bytes: Final = bank_bytes(image)
        self._instructions: Final = _uploaded(device, _padded_instructions(image))
        self._descriptors: Final = _uploaded(device, np.ascontiguousarray(image.descriptors, np.int32))
        self._control: Final = DeviceMemory(device, _CONTROL_BYTES * len(image.launches))
        self._counters: Final = DeviceMemory(device, 2 * self._bank_bytes * len(image.launches))
        self._modules: Final[list[Any]] = []
        self._launches: Final[list[_Launch | None]] = [None] * len(image.launches)
        self._is_graph: Final = any(launch.after is not None for launch in image.launches)
        self._graph: Final = GraphCache()
        with device.current():
            for kernel in built.kernels:
                self._load(kernel, round(timeout_seconds * 1e9))

    def submit(self, spaces: Sequence[int], scalars: Sequence[int], stream: Any) -> None:
        """
        Enqueue one run of the program: a launch after the other, or as a graph where launches name those before them.

        The device's context must be current.
        """
        if self._is_graph:
            key = tuple(spaces), tuple(scalars)
            self._graph.get(key, lambda: self._build_graph(spaces, scalars)).submit(stream)
            return
        self._bind(spaces, scalars)
        for number, iteration in launch_order(self._image, scalars):
            self._loaded(number).submit(iteration, stream)

    def _bind(self, spaces: Sequence[int], scalars: Sequence[int]) -> None:
        for launch in self._launches:
            if launch is not None:
                launch.arguments.bind(spaces, scalars)

    def _loaded(self, number: int) -> "_Launch":
        launch = self._launches[number]
        assert launch is not None
        return launch

    def _build_graph(self, spaces: Sequence[int], scalars: Sequence[int]) -> KernelGraph:
        self._bind(spaces, scalars)
        graph = KernelGraph(self._device)
        for node in launch_graph(self._image, scalars):
            self._loaded(node.launch).add_to(graph, node)
        graph.instantiate()
        return graph

    def record_into(self, places: Sequence[tuple[int, int]], stream: Any) -> None:
        """
        Have traced kernels record from now on: for every launch an address, 0 for nowhere, and the records of a vEU.

        The device's context must be current.
        """
        for number, place in enumerate(places):
            data = np.array(place, np.uint64)
            address = self._control.address + number * _CONTROL_BYTES + _TRACE_OFFSET
            self._device.driver.cuMemcpyHtoDAsync(address, data.ctypes.data, data.nbytes, stream)
            self._device.driver.cuStreamSynchronize(stream)

    def failure(self) -> FailureRecord | None:
        """What failed, once all that was submitted has ended."""
        record = FailureRecord.from_buffer_copy(self._report.read())
        return record if record.kind != 0 else None

    def reset(self, stream: Any) -> None:
        """Bring counters and control back to what they were at first, in the order of `stream`."""
        self._report.clear()
        self._control.fill(0, stream)
        self._counters.fill(0, stream)

    def close(self) -> None:
        """Unload the kernels and free the memory."""
        with self._device.current():
            self._graph.close()
            for module in self._modules:
                self._device.driver.cuModuleUnload(module)
        self._modules.clear()
        for memory in (
            self._instructions,
            self._descriptors,
            self._control,
            self._counters,
            self._report,
        ):
            memory.close()

    def _load(self, kernel: BuiltKernel, timeout: int) -> None:
        driver = self._device.driver
        shared = kernel.geometry.shared_bytes
        self._check_shared(self._image.launches[kernel.launches[0]], shared)
        module = driver.cuModuleLoadData(kernel.cubin)
        self._modules.append(module)
        function = driver.cuModuleGetFunction(module, KERNEL_NAME.encode())
        attribute = driver.module.CUfunction_attribute.CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES
        driver.cuFuncSetAttribute(function, attribute, shared)
        resident = driver.cuOccupancyMaxActiveBlocksPerMultiprocessor(function, kernel.geometry.block_threads, shared)
        for number in kernel.launches:
            self._check_resident(self._image.launches[number], resident)
            self._launches[number] = self._launch(number, kernel, function, timeout)

    def _check_shared(self, launch: LaunchImage, needed: int) -> None:
        properties = self._device.properties
        if needed > properties.shared_bytes_per_block:
            raise DeviceError(
                f"launch {launch.name!r} needs {needed} bytes of shared memory, {properties.name} has "
                f"{properties.shared_bytes_per_block}: compile with smaller tiles or a smaller ring",
                location=self._image.name,
            )

    def _check_resident(self, launch: LaunchImage, blocks: int) -> None:
        properties = self._device.properties
        resident = blocks * properties.multiprocessors
        if launch.veus > resident:
            raise DeviceError(
                f"launch {launch.name!r} has {launch.veus} vEUs, {properties.name} keeps {resident} resident: "
                "compile the program for this device",
                location=self._image.name,
            )

    def _launch(self, number: int, kernel: BuiltKernel, function: Any, timeout: int) -> "_Launch":
        shape, launch = kernel.geometry, self._image.launches[number]
        fixed = FixedArguments(
            control=self._control.address + number * _CONTROL_BYTES,
            counters=self._counters.address + number * 2 * self._bank_bytes,
            instructions=self._instructions.address,
            descriptors=self._descriptors.address,
            report=self._report.address,
            bank_bytes=self._bank_bytes,
            timeout=timeout,
            launch=number,
            launches=len(self._image.launches),
        )
        return _Launch(
            device=self._device,
            function=function,
            veus=launch.veus,
            threads=shape.block_threads,
            shared_bytes=shape.shared_bytes,
            arguments=LaunchArguments(fixed, shape, launch.streams),
            is_cooperative=launch.is_cooperative,
        )


class _Launch:
    """One kernel launch, ready to be submitted."""

    def __init__(
        self,
        *,
        device: Device,
        function: Any,
        veus: int,
        threads: int,
        shared_bytes: int,
        arguments: LaunchArguments,
        is_cooperative: bool,
    ):
        self.arguments: Final = arguments
        self._device: Final = device
        self._function: Final = function
        self._veus: Final = veus
        self._threads: Final = threads
        self._shared_bytes: Final = shared_bytes
        self._is_cooperative: Final = is_cooperative

    def submit(self, iteration: int, stream: Any) -> None:
        self.arguments.set_iteration(iteration)
        form = (self._function, self._veus, 1, 1, self._threads, 1, 1, self._shared_bytes)
        self._device.driver.cuLaunchCooperativeKernel(*form, stream, self.arguments.pointer)

    def add_to(self, graph: KernelGraph, node: LaunchNode) -> None:
        """As a node of a graph. Blocks that never wait for each other need not all be resident at once there."""
        self.arguments.set_iteration(node.iteration)
        graph.add(
            self._function,
            blocks=self._veus,
            threads=self._threads,
            shared_bytes=self._shared_bytes,
            arguments=self.arguments.pointer,
            after=node.after,
            is_cooperative=self._is_cooperative,
        )


def _padded_instructions(image: ProgramImage) -> "np.ndarray[tuple[int, int], np.dtype[np.int32]]":
    rows = len(image.instructions)
    padded = np.zeros((rows + -rows % WINDOW_INSTRUCTIONS, INSTRUCTION_WORDS), np.int32)
    padded[:rows] = image.instructions
    return padded


def _uploaded(device: Device, data: "np.ndarray[tuple[int, ...], np.dtype[np.int32]]") -> DeviceMemory:
    memory = DeviceMemory(device, data.nbytes)
    with device.current():
        memory.write(data)
        device.driver.cuStreamSynchronize(0)
    return memory
