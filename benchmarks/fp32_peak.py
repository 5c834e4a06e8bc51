"""The most fp32 multiply-adds that a GPU does in a second: a loop of independent ones in the compute role."""

from rammer_ir.runtime.cuda.driver import Device
from rammer_ir.runtime.cuda.program import CudaProgram
from rammer_ir.runtime.program_image import Binding
from rammer_ir.testing.program_images import ImageBuilder, Operand

THREADS = 256
SUMS = 64
REPEATS = 400

SOURCE = f"""
extern "C" __device__ void multiply_add(rammer::Task* task) {{
  float* out = rammer::operand<float>(task, 0);
  float sum[{SUMS}], a = out[rammer::thread()], b = a * 0.5f;
#pragma unroll
  for (int i = 0; i < {SUMS}; ++i) sum[i] = static_cast<float>(i);
  for (int k = 0; k < {REPEATS}; ++k) {{
#pragma unroll
    for (int r = 0; r < 8; ++r) {{
#pragma unroll
      for (int i = 0; i < {SUMS}; ++i) sum[i] = sum[i] * a + b;
    }}
  }}
  float total = 0.0f;
#pragma unroll
  for (int i = 0; i < {SUMS}; ++i) total += sum[i];
  out[rammer::thread()] = total;
}}
"""


def fp32_peak(device: Device) -> float:
    """Operations a second, two for a multiply-add, with all vEUs busy."""
    veus, tasks = device.properties.multiprocessors, 4
    builder = ImageBuilder("fp32_peak", outputs=(Binding("out", (veus, THREADS), "float32"),))
    body = builder.body("multiply_add", SOURCE)
    streams = [
        [builder.run(body, [Operand(builder.space("out"), 4 * THREADS * veu)], [], count=tasks)] for veu in range(veus)
    ]
    builder.launch(streams, threads=THREADS, service_threads=128, registers=168)
    program = CudaProgram(builder.image(), device=device)
    times = program.measure({}, runs=20, warmup=3, clock="device")
    program.close()
    return 2 * tasks * REPEATS * 8 * SUMS * THREADS * veus / times.median
