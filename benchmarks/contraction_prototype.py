"""Times the contraction body through the real dispatcher, all vEUs busy, against the FFMA peak measured beside it."""

import argparse
import itertools
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rammer_ir.runtime.cuda.build import build
from rammer_ir.runtime.cuda.driver import Device
from rammer_ir.runtime.cuda.program import CudaProgram
from rammer_ir.runtime.interface import ByteCache
from rammer_ir.runtime.program_image import Binding, ProgramImage, Space
from rammer_ir.testing.program_images import ImageBuilder, Operand

VEUS = 132
THREADS = 256
FOLDER = Path(__file__).parent

FFMA = """
extern "C" __device__ void ffma(rammer::Task* task) {
  float* out = rammer::operand<float>(task, 0);
  const int count = rammer::parameter(task, 0);
  float sum[64], a = out[rammer::thread()], b = a * 0.5f;
#pragma unroll
  for (int i = 0; i < 64; ++i) sum[i] = static_cast<float>(i);
  for (int k = 0; k < count; ++k) {
#pragma unroll
    for (int r = 0; r < 8; ++r) {
#pragma unroll
      for (int i = 0; i < 64; ++i) sum[i] = sum[i] * a + b;
    }
  }
  float total = 0.0f;
#pragma unroll
  for (int i = 0; i < 64; ++i) total += sum[i];
  out[rammer::thread()] = total;
}
"""


@dataclass(frozen=True)
class Conv:
    """A square convolution of stride 1: `side` x `side` pixels, `channels` to `filters`, `taps` x `taps`."""

    side: int
    channels: int
    filters: int
    taps: int

    @property
    def pixels(self) -> int:
        return self.side * self.side

    @property
    def depth(self) -> int:
        return self.channels * self.taps * self.taps


@dataclass(frozen=True)
class Tile:
    """Constants of the body: tile BM x BN, chunks of BK, MT x NT threads a slice, stages of X; layout of X and C."""

    bm: int
    bn: int
    bk: int
    mt: int
    nt: int
    stages: int = 3
    channels_last: bool = True
    more: Mapping[str, int] = field(default_factory=dict[str, int])

    def source(self) -> str:
        values = {"BM": self.bm, "BN": self.bn, "BK": self.bk, "MT": self.mt, "NT": self.nt, "STAGES": self.stages}
        file = "contraction_prototype_channels_last.cu" if self.channels_last else "contraction_prototype.cu"
        constants = "".join(f"#define {name} {value}\n" for name, value in {**values, **self.more}.items())
        return constants + (FOLDER / file).read_text()

    @property
    def slices(self) -> int:
        return THREADS // (self.mt * self.nt)

    @property
    def slot_bytes(self) -> int:
        return self.bk * self.bn * 4

    @property
    def scratch_bytes(self) -> int:
        sums = self.bm * self.bn * 4
        if not self.channels_last:
            pitch = 32 if self.bm <= 32 else 64 if self.bm <= 64 else 128
            return max(self.slices * (sums + 16 * self.bn), self.stages * self.bk * pitch * 4)
        rows_of_slice = self.bk // self.slices
        copy_rows = self.mt * self.nt // (rows_of_slice // 4)
        stage = tiles(self.bm, copy_rows) * copy_rows * (rows_of_slice + 4) * 4
        return max((self.slices - 1) * sums, self.stages * self.slices * stage)

    def __str__(self) -> str:
        more = "".join(f" {name}={value}" for name, value in self.more.items())
        layout = "last" if self.channels_last else "first"
        return f"{layout} {self.bm}x{self.bn}x{self.bk} {self.mt}x{self.nt} s{self.stages}{more}"


def tiles(size: int, tile: int) -> int:
    return -(-size // tile)


def images_for(conv: Conv, tile: Tile) -> int:
    """The number of images, in at most 16 MB, at which the last round of tasks leaves the fewest vEUs idle."""
    tasks = tiles(conv.pixels, tile.bm) * tiles(conv.filters, tile.bn)
    most = max(1, 16_000_000 // (4 * conv.pixels * (conv.channels + conv.filters)))

    def waste(images: int) -> float:
        return tiles(images * tasks, VEUS) * VEUS / (images * tasks)

    return min(range(1, most + 1), key=lambda images: (round(waste(images), 2), -images))


def x_shape(conv: Conv, tile: Tile, images: int) -> tuple[int, ...]:
    return (images, conv.pixels, conv.channels) if tile.channels_last else (images, conv.channels, conv.pixels)


def parameters(conv: Conv, tile: Tile) -> list[int]:
    pad = conv.taps // 2
    tiles_m, tiles_n = tiles(conv.pixels, tile.bm), tiles(conv.filters, tile.bn)
    chunks, image = conv.depth // tile.bk, conv.channels * conv.pixels
    geometry = [conv.side, 1, 1, pad, pad, conv.side, conv.side]
    if tile.channels_last:
        head = [conv.pixels, conv.filters, chunks, conv.channels, image]
        return [*head, *geometry, conv.taps, conv.taps, tiles_m, tiles_n]
    head = [conv.pixels, conv.filters, chunks, conv.pixels, image, conv.filters * conv.pixels]
    return [*head, *geometry, tiles_m, tiles_n]


def program(conv: Conv, tile: Tile, images: int, ring_bytes: int) -> ProgramImage:
    tiles_m, tiles_n = tiles(conv.pixels, tile.bm), tiles(conv.filters, tile.bn)
    chunks = conv.depth // tile.bk
    weight_bytes, tap_bytes = tiles_n * chunks * tile.slot_bytes, 16 * chunks
    y_shape = (images, conv.pixels, conv.filters) if tile.channels_last else (images, conv.filters, conv.pixels)
    builder = ImageBuilder(
        "contraction",
        inputs=(Binding("x", x_shape(conv, tile, images), "float32"),),
        outputs=(Binding("y", y_shape, "float32"),),
        weight_bytes=weight_bytes + tap_bytes + 4 * tiles_n * tile.bn,
    )
    body = builder.body("contraction", tile.source(), service=True)
    bias = Operand(Space.WEIGHTS, weight_bytes + tap_bytes)
    taps = [] if tile.channels_last else [Operand(Space.WEIGHTS, weight_bytes)]
    operands = [Operand(builder.space("x")), Operand(Space.WEIGHTS), bias, *taps, Operand(builder.space("y"))]
    run = builder.run(body, operands, parameters(conv, tile))
    tasks = images * tiles_m * tiles_n
    streams = [[(*run[:3], veu, len(range(veu, tasks, VEUS)), VEUS)] for veu in range(VEUS)]
    builder.launch(
        streams,
        threads=THREADS,
        service_threads=128,
        registers=168,
        ring_slots=min(32, ring_bytes // tile.slot_bytes),
        ring_slot_bytes=tile.slot_bytes,
        scratch_bytes=tile.scratch_bytes,
    )
    return builder.image()


def packed_weights(conv: Conv, tile: Tile, weight: NDArray[np.float32], bias: NDArray[np.float32]) -> NDArray[np.uint8]:
    """
    Weights [tile, chunk, BK, BN], the tap table, the bias.

    k is (chunk of channels, tap, channel in the chunk) with channels last, else (tap, channel).
    """
    tiles_n = tiles(conv.filters, tile.bn)
    padded = np.zeros((tiles_n * tile.bn, *weight.shape[1:]), np.float32)
    padded[: conv.filters] = weight
    blocks = padded.reshape(len(padded), -1, tile.bk, conv.taps, conv.taps)
    rows = blocks.transpose(1, 3, 4, 2, 0) if tile.channels_last else blocks.transpose(3, 4, 1, 2, 0)
    packed = np.ascontiguousarray(rows.reshape(-1, tile.bk, tiles_n, tile.bn).transpose(2, 0, 1, 3))
    table = [
        (channel * conv.pixels + dy * conv.side + dx, dy, dx, 0)
        for dy in range(conv.taps)
        for dx in range(conv.taps)
        for channel in range(0, conv.channels, tile.bk)
    ]
    padded_bias = np.zeros(tiles_n * tile.bn, np.float32)
    padded_bias[: conv.filters] = bias
    parts = [packed, np.array(table, np.int32), padded_bias]
    return np.concatenate([part.view(np.uint8).reshape(-1) for part in parts])


def reference(
    conv: Conv, x: NDArray[np.float32], weight: NDArray[np.float32], bias: NDArray[np.float32]
) -> NDArray[np.float64]:
    """The convolution of one image, in float64."""
    pad = conv.taps // 2
    image = np.pad(x.reshape(conv.channels, conv.side, conv.side).astype(np.float64), ((0, 0), (pad, pad), (pad, pad)))
    total = np.zeros((conv.filters, conv.side, conv.side))
    for dy, dx in itertools.product(range(conv.taps), repeat=2):
        window = image[:, dy : dy + conv.side, dx : dx + conv.side]
        total += np.tensordot(weight[:, :, dy, dx].astype(np.float64), window, 1)
    return np.maximum(total.reshape(conv.filters, -1) + bias[:, None], 0)


def check(
    conv: Conv, tile: Tile, x: NDArray[np.float32], y: NDArray[np.float32], *weights: NDArray[np.float32]
) -> float:
    """The relative error of the first and the last image."""
    errors: list[float] = []
    for image in {0, len(x) - 1}:
        expected = reference(conv, x[image].T if tile.channels_last else x[image], *weights)
        actual = y[image].T if tile.channels_last else y[image]
        errors.append(float(np.linalg.norm(actual - expected) / np.linalg.norm(expected)))
    return max(errors)


def measure(device: Device, conv: Conv, tile: Tile, ring_bytes: int, peak: float, cache: ByteCache) -> None:
    rng = np.random.default_rng(0)
    images = images_for(conv, tile)
    x = rng.standard_normal(x_shape(conv, tile, images), np.float32)
    weight = rng.standard_normal((conv.filters, conv.channels, conv.taps, conv.taps), np.float32) / conv.depth**0.5
    bias = rng.standard_normal(conv.filters, np.float32)
    image = program(conv, tile, images, ring_bytes)
    loaded = CudaProgram(
        image, packed_weights(conv, tile, weight, bias), device=device, timeout_seconds=1.0, poison=True, cache=cache
    )
    error = check(conv, tile, x, loaded.run({"x": x})["y"], weight, bias)
    times = loaded.measure({"x": x}, runs=30, warmup=5, clock="device")
    rate = 2 * images * conv.pixels * conv.filters * conv.depth / times.median
    tasks = images * tiles(conv.pixels, tile.bm) * tiles(conv.filters, tile.bn)
    rounds = tiles(tasks, VEUS)
    stack = max((function.stack for function in loaded.built.functions.values()), default=0)
    print(
        f"{conv.pixels:4d},{conv.filters:4d},{conv.depth:5d} {tile!s:36s} images {images:3d} tasks {tasks:5d} "
        f"({rounds} rounds) {times.median * 1e6:8.1f} us {times.median * 1e6 / rounds:7.2f} us/task "
        f"{rate / 1e12:5.1f} TFLOP/s {100 * rate / peak:5.1f} %  error {error:.1e} stack {stack}",
        flush=True,
    )
    loaded.close()


def ffma_peak(device: Device) -> float:
    """FLOP/s of a loop of independent multiply-adds in the compute role, all vEUs busy."""
    count = 400
    builder = ImageBuilder("ffma", outputs=(Binding("out", (VEUS, THREADS), "float32"),))
    body = builder.body("ffma", FFMA)
    streams = [
        [builder.run(body, [Operand(builder.space("out"), 4 * THREADS * veu)], [count], count=4)] for veu in range(VEUS)
    ]
    builder.launch(streams, threads=THREADS, service_threads=128, registers=168)
    loaded = CudaProgram(builder.image(), device=device)
    times = loaded.measure({}, runs=20, warmup=3, clock="device")
    loaded.close()
    return 2 * 4 * count * 8 * 64 * THREADS * VEUS / times.median


TILES = (
    Tile(64, 64, 64, 8, 8),
    Tile(64, 64, 64, 8, 8, more={"COPY_AT": 1}),
    Tile(64, 64, 64, 8, 8, more={"A_WIDTH": 4}),
    Tile(64, 64, 64, 8, 8, 2),
    Tile(64, 64, 32, 8, 8),
    Tile(56, 64, 64, 8, 8),
    Tile(56, 128, 32, 8, 16),
    Tile(112, 128, 32, 16, 16),
    Tile(112, 128, 16, 16, 16),
    Tile(128, 64, 32, 16, 8),
    Tile(28, 64, 64, 4, 8),
    Tile(28, 128, 64, 4, 16),
    Tile(64, 64, 64, 8, 8, channels_last=False),
    Tile(56, 64, 64, 8, 8, channels_last=False),
    Tile(28, 128, 64, 4, 16, 2, channels_last=False),
)
CONVS = (Conv(28, 128, 128, 3), Conv(14, 256, 256, 3), Conv(28, 128, 128, 1))


class MemoryCache:
    """Compiled code, as long as the process lives."""

    def __init__(self) -> None:
        self._entries: dict[str, bytes] = {}

    def get(self, key: str) -> bytes | None:
        return self._entries.get(key)

    def put(self, key: str, data: bytes) -> None:
        self._entries[key] = data


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ring-bytes", type=int, default=96 << 10)
    parser.add_argument("--tiles", type=int, nargs="*", default=list(range(len(TILES))))
    arguments = parser.parse_args()
    chosen: list[int] = arguments.tiles
    ring_bytes: int = arguments.ring_bytes
    device = Device()
    cache = MemoryCache()
    cases = [(conv, TILES[number]) for conv in CONVS for number in chosen]
    images = [program(conv, tile, images_for(conv, tile), ring_bytes) for conv, tile in cases]
    with ThreadPoolExecutor() as pool:
        list(pool.map(build, images, itertools.repeat(device.properties.architecture), itertools.repeat(cache)))
    peak = ffma_peak(device)
    print(f"{device.properties.name}: FFMA loop {peak / 1e12:.1f} TFLOP/s", flush=True)
    for conv, tile in cases:
        measure(device, conv, tile, ring_bytes, peak, cache)


if __name__ == "__main__":
    main()
