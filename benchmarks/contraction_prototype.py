"""Times the contraction body through the real dispatcher, all vEUs busy, against the FFMA peak measured beside it."""

import argparse
import itertools
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rammer_ir.runtime.cuda.driver import Device
from rammer_ir.runtime.cuda.program import CudaProgram
from rammer_ir.runtime.program_image import Binding, ProgramImage, Space
from rammer_ir.testing.program_images import ImageBuilder, Operand

VEUS = 132
THREADS = 256
SOURCE = Path(__file__).with_suffix(".cu")

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
    """Constants of the body: tile BM x BN, chunks of BK, MT x NT threads a slice, stages of X."""

    bm: int
    bn: int
    bk: int
    mt: int
    nt: int
    stages: int = 3
    warp_m: int = 0

    def source(self) -> str:
        values = {"BM": self.bm, "BN": self.bn, "BK": self.bk, "MT": self.mt, "NT": self.nt, "STAGES": self.stages}
        if self.warp_m:
            values["WARP_M_LANES"] = self.warp_m
        return "".join(f"#define {name} {value}\n" for name, value in values.items()) + SOURCE.read_text()

    @property
    def slices(self) -> int:
        return THREADS // (self.mt * self.nt)

    @property
    def slot_bytes(self) -> int:
        return self.bk * self.bn * 4

    @property
    def scratch_bytes(self) -> int:
        pitch = 32 if self.bm <= 32 else 64 if self.bm <= 64 else 128
        return max(self.slices * self.bm * self.bn * 4, self.stages * self.bk * pitch * 4)

    def __str__(self) -> str:
        return f"{self.bm}x{self.bn}x{self.bk} {self.mt}x{self.nt} s{self.stages} w{self.warp_m}"


def tiles(size: int, tile: int) -> int:
    return -(-size // tile)


def images_for(conv: Conv, tile: Tile) -> int:
    """The number of images, in at most 16 MB, at which the last round of tasks leaves the fewest vEUs idle."""
    tasks = tiles(conv.pixels, tile.bm) * tiles(conv.filters, tile.bn)
    most = max(1, 16_000_000 // (4 * conv.pixels * (conv.channels + conv.filters)))

    def waste(images: int) -> float:
        return tiles(images * tasks, VEUS) * VEUS / (images * tasks)

    return min(range(1, most + 1), key=lambda images: (round(waste(images), 2), -images))


def program(conv: Conv, tile: Tile, images: int, ring_bytes: int) -> ProgramImage:
    tiles_m, tiles_n = tiles(conv.pixels, tile.bm), tiles(conv.filters, tile.bn)
    chunks = conv.depth // tile.bk
    weight_bytes = tiles_n * chunks * tile.slot_bytes
    tap_bytes = 16 * chunks
    builder = ImageBuilder(
        "contraction",
        inputs=(Binding("x", (images, conv.channels, conv.pixels), "float32"),),
        outputs=(Binding("y", (images, conv.filters, conv.pixels), "float32"),),
        weight_bytes=weight_bytes + tap_bytes + 4 * tiles_n * tile.bn,
    )
    body = builder.body("contraction", tile.source(), service=True)
    operands = [
        Operand(builder.space("x")),
        Operand(Space.WEIGHTS),
        Operand(Space.WEIGHTS, weight_bytes + tap_bytes),
        Operand(Space.WEIGHTS, weight_bytes),
        Operand(builder.space("y")),
    ]
    pad = conv.taps // 2
    parameters = [
        conv.pixels,
        conv.filters,
        chunks,
        conv.pixels,
        conv.channels * conv.pixels,
        conv.filters * conv.pixels,
        conv.side,
        1,
        1,
        pad,
        pad,
        conv.side,
        conv.side,
        tiles_m,
        tiles_n,
    ]
    run = builder.run(body, operands, parameters)
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
    """Weights [tile, chunk, BK, BN] with k = (tap, channel), the tap table, the bias."""
    tiles_n = tiles(conv.filters, tile.bn)
    padded = np.zeros((tiles_n * tile.bn, *weight.shape[1:]), np.float32)
    padded[: conv.filters] = weight
    rows = padded.transpose(2, 3, 1, 0).reshape(conv.depth, tiles_n, tile.bn)
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


def measure(device: Device, conv: Conv, tile: Tile, ring_bytes: int, peak: float) -> None:
    rng = np.random.default_rng(0)
    images = images_for(conv, tile)
    x = rng.standard_normal((images, conv.channels, conv.pixels), np.float32)
    weight = rng.standard_normal((conv.filters, conv.channels, conv.taps, conv.taps), np.float32) / conv.depth**0.5
    bias = rng.standard_normal(conv.filters, np.float32)
    loaded = CudaProgram(
        program(conv, tile, images, ring_bytes),
        packed_weights(conv, tile, weight, bias),
        device=device,
        timeout_seconds=1.0,
        poison=True,
    )
    y = loaded.run({"x": x})["y"]
    worst = 0.0
    for image in {0, images - 1}:
        expected = reference(conv, x[image], weight, bias)
        worst = max(worst, float(np.linalg.norm(y[image] - expected) / np.linalg.norm(expected)))
    times = loaded.measure({"x": x}, runs=30, warmup=5, clock="device")
    flops = 2 * images * conv.pixels * conv.filters * conv.depth
    tasks = images * tiles(conv.pixels, tile.bm) * tiles(conv.filters, tile.bn)
    rounds = tiles(tasks, VEUS)
    spills = max(function.stack for function in loaded.built.functions.values())
    print(
        f"{conv.pixels:4d},{conv.filters:4d},{conv.depth:5d} tile {tile!s:28s} images {images:3d} tasks {tasks:5d} "
        f"({rounds} rounds) {times.median * 1e6:8.1f} us  {times.median * 1e6 / rounds:7.2f} us/task  "
        f"{flops / times.median / 1e12:5.1f} TFLOP/s {100 * flops / times.median / peak:5.1f} %  "
        f"error {worst:.1e} stack {spills}",
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
    Tile(64, 64, 32, 8, 8),
    Tile(64, 64, 64, 8, 8, 2),
    Tile(64, 64, 64, 8, 8, 3),
    Tile(64, 64, 32, 8, 8, 4),
    Tile(64, 64, 32, 8, 8, 3, 4),
    Tile(56, 64, 32, 8, 8),
    Tile(56, 64, 64, 8, 8, 3),
    Tile(56, 128, 32, 8, 16),
    Tile(64, 128, 32, 8, 16),
    Tile(128, 64, 32, 16, 8),
    Tile(128, 128, 16, 16, 16),
    Tile(128, 128, 32, 16, 16),
    Tile(28, 64, 64, 4, 8),
    Tile(28, 128, 32, 4, 16),
    Tile(28, 128, 64, 4, 16, 2),
)
CONVS = (Conv(28, 128, 128, 3), Conv(14, 256, 256, 3))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ring-bytes", type=int, default=96 << 10)
    parser.add_argument("--tiles", type=int, nargs="*", default=list(range(len(TILES))))
    arguments = parser.parse_args()
    chosen: list[int] = arguments.tiles
    ring_bytes: int = arguments.ring_bytes
    device = Device()
    peak = ffma_peak(device)
    print(f"{device.properties.name}: FFMA loop {peak / 1e12:.1f} TFLOP/s", flush=True)
    for conv in CONVS:
        for tile in [TILES[number] for number in chosen]:
            start = time.perf_counter()
            try:
                measure(device, conv, tile, ring_bytes, peak)
            except Exception as error:
                print(f"{tile}: {error} after {time.perf_counter() - start:.1f} s", flush=True)


if __name__ == "__main__":
    main()
