"""Random programs of the `vdevice` level: kernels on short buffers, tasks on any vEU, ordered by events or barriers."""

from dataclasses import dataclass

import numpy as np

CELLS = 16
BUFFER = f'memref<{CELLS}xf32, "global">'
TENSOR = f"tensor<{CELLS}xf32>"
ARGUMENT = f"memref<{CELLS}xf32>"


@dataclass(frozen=True)
class _Kernel:
    """Tasks that each write `size` cells from `size * i` on, and read `border` more on both sides."""

    name: str
    size: int
    border: int

    @property
    def tasks(self) -> int:
        return CELLS // self.size

    def text(self) -> str:
        reads = f"#rtask.box<(i) -> (i * {self.size} - {self.border}) by [{self.size + 2 * self.border}]>"
        writes = f"#rtask.box<(i) -> (i * {self.size}) by [{self.size}]>"
        return (
            f"rtask.kernel @{self.name} grid [{self.tasks}] reads [{reads}] writes [{writes}] {{\n"
            f"^bb0(%i: index, %x: {TENSOR}, %y: {TENSOR}):\n  rtask.yield %y : {TENSOR}\n}}\n"
        )

    def read(self, task: int) -> set[int]:
        low = task * self.size - self.border
        return set(range(max(low, 0), min(low + self.size + 2 * self.border, CELLS)))

    def written(self, task: int) -> set[int]:
        return set(range(task * self.size, (task + 1) * self.size))


@dataclass(frozen=True)
class _Task:
    kernel: _Kernel
    index: int
    source: str
    target: str
    veu: int

    def conflicts(self, other: "_Task") -> bool:
        """Whether the two touch a common cell, and one writes it."""
        mine, theirs = self.kernel.written(self.index), other.kernel.written(other.index)
        writes = self.target == other.target and bool(mine & theirs)
        reads = self.source == other.target and bool(self.kernel.read(self.index) & theirs)
        read_before = self.target == other.source and bool(mine & other.kernel.read(other.index))
        return writes or reads or read_before


def random_program(seed: int, *, veus: int = 3, layers: int = 4, buffers: int = 2, barriers: bool = False) -> str:
    """
    A program of `layers` kernels in a row, which use `buffers` buffers again and again, then the output.

    Every task waits for the tasks on other vEUs that it conflicts with and that no other wait implies; with `barriers`,
    a barrier stands between layers instead.
    """
    generator = np.random.default_rng(seed)
    kernels: list[_Kernel] = []
    steps: list[list[_Task]] = []
    source = "%x"
    for layer in range(layers):
        size = int(generator.choice([4, 8]))
        kernel = _Kernel(f"k{layer}", size, int(generator.integers(0, 3)))
        kernels.append(kernel)
        others = [name for name in (f"%b{number}" for number in range(buffers)) if name != source]
        target = "%y" if layer == layers - 1 else str(generator.choice(others))
        steps.append([_Task(kernel, i, source, target, int(generator.integers(veus))) for i in range(kernel.tasks)])
        source = target
    body = _with_barriers(steps) if barriers else _with_events([task for step in steps for task in step], generator)
    declared = "\n".join(f"  %b{number} = vdevice.buffer offset {number * 256} : {BUFFER}" for number in range(buffers))
    return f"""{"".join(kernel.text() for kernel in kernels)}
vdevice.device @d kind "host" veus {veus + 1} threads 1 shared 0 registers 0
vdevice.program @main on @d inputs 1 names ["x", "y"] arena {buffers * 256} {{
^bb0(%x: {ARGUMENT}, %y: {ARGUMENT}):
{declared}
  vdevice.launch veus {veus} threads 1 service 0 ring 0 x 0 scratch 0 pinned 0 registers 0 {{
    {body}
  }}
}}
"""


def _run(task: _Task, synchronisation: str = "") -> str:
    types = [ARGUMENT if name in ("%x", "%y") else BUFFER for name in (task.source, task.target)]
    return (
        f"vdevice.run @{task.kernel.name} tasks [{task.index}, {task.index + 1}] place affine_map<(i) -> ({task.veu})> "
        f"ins({task.source} : {types[0]}) outs({task.target} : {types[1]}){synchronisation}"
    )


def _with_barriers(steps: list[list[_Task]]) -> str:
    return "\n    vdevice.barrier\n    ".join("\n    ".join(map(_run, step)) for step in steps)


def _with_events(tasks: list[_Task], generator: np.random.Generator) -> str:
    """Tasks signal a counter each, or those of a kernel one; a task waits for what nothing else orders before it."""
    shared = {task.kernel.name: bool(generator.integers(2)) for task in tasks}
    before: list[set[int]] = []
    lines: list[str] = []
    for number, task in enumerate(tasks):
        known: set[int] = set()
        for earlier in range(number):
            if tasks[earlier].veu == task.veu:
                known |= before[earlier] | {earlier}
        waits: list[str] = []
        for earlier in reversed(range(number)):
            if earlier in known or not task.conflicts(tasks[earlier]):
                continue
            name = tasks[earlier].kernel.name
            group = [k for k, other in enumerate(tasks) if other.kernel.name == name]
            if shared[name] and max(group) < number:
                known.update(group, *(before[k] for k in group))
                waits.append(f"%{name} affine_map<(i) -> (0, 1, {len(group)})> : !vdevice.event<1>")
            else:
                known |= before[earlier] | {earlier}
                waits.append(f"%e affine_map<(i) -> ({earlier}, 1, 1)> : !vdevice.event<{len(tasks)}>")
        before.append(known)
        signals = [f"%e affine_map<(i) -> ({number})> : !vdevice.event<{len(tasks)}>"]
        if shared[task.kernel.name]:
            signals.append(f"%{task.kernel.name} affine_map<(i) -> (0)> : !vdevice.event<1>")
        text = f"\n        waits({', '.join(waits)})" if waits else ""
        lines.append(_run(task, f"{text} signals({', '.join(signals)})"))
    names = [name for name, is_shared in shared.items() if is_shared]
    events = [f"%e = vdevice.event : !vdevice.event<{len(tasks)}>"]
    events += [f"%{name} = vdevice.event : !vdevice.event<1>" for name in names]
    return "\n    ".join([*events, *lines])
