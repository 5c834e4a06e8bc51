"""A run of a program as a CUDA graph, with launches that nothing orders side by side."""

from collections.abc import Callable, Sequence
from typing import Any, Final

from rammer_ir.runtime.cuda.driver import Device


class KernelGraph:
    """
    A graph of kernels, ready to be submitted at once.

    `add` takes kernels with the nodes that they come after; `instantiate` ends that. Arguments are copied when a kernel
    is added. The device's context must be current.
    """

    def __init__(self, device: Device):
        self._driver: Final = device.driver
        self._graph: Any = self._driver.cuGraphCreate(0)
        self._nodes: Final[list[Any]] = []
        self._executable: Any = None

    def add(
        self,
        function: Any,
        *,
        blocks: int,
        threads: int,
        shared_bytes: int,
        arguments: int,
        after: Sequence[int],
        is_cooperative: bool,
    ) -> None:
        """
        Add a kernel after the nodes of these numbers; it gets the next number.

        `arguments` is the address of an array of pointers, as a launch takes it. The blocks of a cooperative kernel
        are all resident at once.
        """
        parameters = self._driver.module.CUDA_KERNEL_NODE_PARAMS()
        parameters.func = function
        parameters.gridDimX, parameters.gridDimY, parameters.gridDimZ = blocks, 1, 1
        parameters.blockDimX, parameters.blockDimY, parameters.blockDimZ = threads, 1, 1
        parameters.sharedMemBytes = shared_bytes
        parameters.kernelParams = arguments
        before = [self._nodes[number] for number in after]
        node = self._driver.cuGraphAddKernelNode(self._graph, before, len(before), parameters)
        if is_cooperative:
            value = self._driver.module.CUkernelNodeAttrValue()
            value.cooperative = 1
            attribute = self._driver.module.CUkernelNodeAttrID.CU_LAUNCH_ATTRIBUTE_COOPERATIVE
            self._driver.cuGraphKernelNodeSetAttribute(node, attribute, value)
        self._nodes.append(node)

    def instantiate(self) -> None:
        """Make the graph executable."""
        self._executable = self._driver.cuGraphInstantiate(self._graph, 0)
        self._driver.cuGraphDestroy(self._graph)

    def submit(self, stream: Any) -> None:
        """Enqueue all kernels; does not wait for them."""
        self._driver.cuGraphLaunch(self._executable, stream)

    def close(self) -> None:
        self._driver.cuGraphExecDestroy(self._executable)


class GraphCache:
    """The graph of the last run, which later runs with the same arguments use again."""

    def __init__(self) -> None:
        self._key: object = None
        self._graph: KernelGraph | None = None

    def get(self, key: object, build: Callable[[], KernelGraph]) -> KernelGraph:
        """The graph for a key, built unless it is the one of the last call."""
        if self._graph is None or key != self._key:
            self.close()
            self._graph, self._key = build(), key
        return self._graph

    def close(self) -> None:
        """Free the graph."""
        if self._graph is not None:
            self._graph.close()
            self._graph = None
