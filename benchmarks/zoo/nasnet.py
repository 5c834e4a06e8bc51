"""NASNet-A, 6@768 and mobile: "Learning Transferable Architectures" (Zoph et al., 2017)."""

# PyTorch is not among the dependencies: where it is missing, nothing is known of its types.
# pyright: basic, reportMissingImports=false

from dataclasses import dataclass

import torch
import torch.nn.functional as functional
from torch import nn

from rammer_ir.zoo.example import Example


@dataclass(frozen=True)
class CellPlan:
    """Five sums of two operations each, the states that they read (0 and 1 are the cell's), and those left over."""

    operations: tuple[str, ...]
    states: tuple[int, ...]
    results: tuple[int, ...]


NORMAL = CellPlan(
    ("sep5", "sep3", "sep5", "sep3", "avg", "none", "avg", "avg", "sep3", "none"),
    (0, 1, 1, 1, 0, 1, 1, 1, 0, 0),
    (1, 2, 3, 4, 5, 6),
)
REDUCTION = CellPlan(
    ("sep5", "sep7", "max", "sep7", "avg", "sep5", "none", "avg", "sep3", "max"),
    (0, 1, 0, 1, 0, 1, 3, 2, 2, 0),
    (3, 4, 5, 6),
)


def pointwise(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    """ReLU, a 1 x 1 convolution and batch normalisation."""
    return nn.Sequential(
        nn.ReLU(), nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs, eps=1e-3)
    )


def separable(inputs: int, outputs: int, size: int, stride: int) -> nn.Sequential:
    """ReLU, a depthwise and a pointwise convolution and batch normalisation, twice."""
    layers: list[nn.Module] = []
    for channels, step in ((inputs, stride), (outputs, 1)):
        depthwise = nn.Conv2d(channels, channels, size, step, size // 2, groups=channels, bias=False)
        pointwise = nn.Conv2d(channels, outputs, 1, bias=False)
        layers += [nn.ReLU(), depthwise, pointwise, nn.BatchNorm2d(outputs, eps=1e-3)]
    return nn.Sequential(*layers)


class Halved(nn.Module):
    """Every other pixel, and every other pixel one place on, each through a 1 x 1 convolution."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(inputs, outputs // 2, 1, bias=False)
        self.second = nn.Conv2d(inputs, outputs // 2, 1, bias=False)
        self.norm = nn.BatchNorm2d(outputs, eps=1e-3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x.relu()
        moved = functional.pad(x, (0, 1, 0, 1))[:, :, 1:, 1:]
        parts = [self.first(functional.avg_pool2d(x, 1, 2)), self.second(functional.avg_pool2d(moved, 1, 2))]
        return self.norm(torch.cat(parts, 1))


def operation(name: str, inputs: int, outputs: int, stride: int) -> nn.Module:
    """What a plan calls so."""
    if name.startswith("sep"):
        return separable(inputs, outputs, int(name[3:]), stride)
    if name == "none":
        return nn.Identity() if stride == 1 and inputs == outputs else pointwise(inputs, outputs, stride)
    pool = nn.AvgPool2d(3, stride, 1, count_include_pad=False) if name == "avg" else nn.MaxPool2d(3, stride, 1)
    return pool if inputs == outputs else nn.Sequential(pool, *pointwise(inputs, outputs)[1:])


class Cell(nn.Module):
    """Reads the results of the two cells before it; that of the earlier one may be `larger`, by 2."""

    def __init__(self, plan: CellPlan, inputs: int, earlier: int, filters: int, *, larger: bool) -> None:
        super().__init__()
        self.plan = plan
        self.entry = pointwise(inputs, filters)
        if larger:
            self.earlier: nn.Module = Halved(earlier, filters)
        else:
            self.earlier = nn.Identity() if earlier == filters else pointwise(earlier, filters)
        self.operations = nn.ModuleList(
            operation(name, filters, filters, 2 if plan is REDUCTION and state < 2 else 1)
            for name, state in zip(plan.operations, plan.states, strict=True)
        )

    def forward(self, x: torch.Tensor, earlier: torch.Tensor) -> torch.Tensor:
        states = [self.entry(x), self.earlier(earlier)]
        for first in range(0, len(self.operations), 2):
            terms = [self.operations[place](states[self.plan.states[place]]) for place in (first, first + 1)]
            states.append(terms[0] + terms[1])
        return torch.cat([states[place] for place in self.plan.results], 1)


class Nasnet(nn.Module):
    """`cells` normal cells, with a reduction after each third; with `stem_cells`, as on ImageNet, two before them."""

    def __init__(self, filters: int, cells: int, classes: int, *, stem_cells: bool) -> None:
        super().__init__()
        channels = 32 if stem_cells else 3 * filters
        self.stem = nn.Sequential(
            nn.Conv2d(3, channels, 3, 2 if stem_cells else 1, 0 if stem_cells else 1, bias=False),
            nn.BatchNorm2d(channels, eps=1e-3),
        )
        plans = [(REDUCTION, filters // 4), (REDUCTION, filters // 2)] if stem_cells else []
        for cell in range(cells):
            scale = 1 << (3 * cell // cells)
            if cell in (cells // 3, 2 * cells // 3):
                plans.append((REDUCTION, filters * scale))
            plans.append((NORMAL, filters * scale))
        self.cells = nn.ModuleList()
        earlier, larger = channels, False
        for plan, width in plans:
            self.cells.append(Cell(plan, channels, earlier, width, larger=larger))
            earlier, channels, larger = channels, width * len(plan.results), plan is REDUCTION
        self.head = nn.Sequential(nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, classes))

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        x = earlier = self.stem(image)
        for cell in self.cells:
            x, earlier = cell(x, earlier), x
        return self.head(x)


def make_nasnet_cifar(small: bool) -> Example:
    module, size = (Nasnet(4, 1, 10, stem_cells=False), 8) if small else (Nasnet(32, 18, 10, stem_cells=False), 32)
    return Example(module, {"image": torch.randn(1, 3, size, size)}, ["scores"])


def make_nasnet_mobile(small: bool) -> Example:
    module, size = (Nasnet(8, 1, 10, stem_cells=True), 35) if small else (Nasnet(44, 12, 1000, stem_cells=True), 224)
    return Example(module, {"image": torch.randn(1, 3, size, size)}, ["scores"])
