"""Compiling and linking CUDA programs; no GPU is needed."""

from dataclasses import replace

import pytest

from rammer_ir.errors import CompileError, DeviceError
from rammer_ir.runtime.cuda import driver
from rammer_ir.runtime.cuda.build import build
from rammer_ir.runtime.cuda.dispatcher import body_request, dispatcher_source
from rammer_ir.runtime.cuda.driver import Device, architecture, cuda_device_count
from rammer_ir.runtime.cuda.layout import geometry
from rammer_ir.runtime.cuda.linker import link
from rammer_ir.runtime.cuda.nvrtc import CompileRequest, compile_object, function_resources, serious_warning
from rammer_ir.runtime.program_image import Binding, Body, Event, ProgramImage, Space
from rammer_ir.testing.program_images import ImageBuilder, Operand, barrier, pin, signal, wait

# Uses all that a body may use.
BODY = """
extern "C" __device__ void everything_service(rammer::Task* task) {
  rammer::ring_push(task, rammer::operand<const float>(task, 0), rammer::parameter(task, 0));
}
extern "C" __device__ void everything(rammer::Task* task) {
  rammer::Word* words = rammer::operand<rammer::Word>(task, 1);
  float4* staged = rammer::scratch<float4>(task, 16);
  const int i = rammer::thread();
  rammer::copy_async<16>(staged + i, rammer::operand<float4>(task, 2) + i, task->index > 0);
  rammer::copy_async<4>(task->scratch, rammer::operand<float>(task, 2), task->iteration > 0);
  rammer::commit_copies();
  rammer::wait_copies<0>();
  rammer::barrier();
  rammer::group_barrier<64>(rammer::thread() / 64);
  rammer::Ring ring(task);
  float value = ring.wait<float>()[rammer::lane()] + rammer::pinned<float>(task, 3)[0];
  ring.release();
  ring.close();
  value += rammer::ring_wait<float>(task)[0];
  rammer::ring_release(task);
  value += rammer::load(rammer::operand<float4>(task, 2)).x + rammer::load_weight(rammer::operand<double>(task, 0));
  value += rammer::load(rammer::operand<signed char>(task, 2)) + rammer::load_weight(rammer::operand<short>(task, 0));
  value = rammer::warp_reduce_add(value) + rammer::warp_reduce_maximum(value);
  value = rammer::warp_reduce_minimum(value) * rammer::warp_reduce_multiply(value);
  value += expf(value) + tanhf(value) + erff(value) + rammer::quotient(task->index, 3);
  rammer::store_word(task, words + 1, rammer::load_word(task, words) + value + staged[0].x);
}
"""


class CountingCache:
    """A cache in memory that counts what it was asked for in vain."""

    def __init__(self) -> None:
        self.entries: dict[str, bytes] = {}
        self.misses = 0

    def get(self, key: str) -> bytes | None:
        self.misses += key not in self.entries
        return self.entries.get(key)

    def put(self, key: str, data: bytes) -> None:
        self.entries[key] = data


def program(
    *, outputs: int = 1, parameters: int = 1, barriers: int = 1, service_threads: int = 128, name: str = "everything"
) -> ProgramImage:
    event = Event("done", 0, 2)
    builder = ImageBuilder(
        "program",
        outputs=tuple(Binding(f"y{i}", (64,), "float32") for i in range(outputs)),
        events=(event,),
        barriers=barriers,
        arena_bytes=4096,
        weight_bytes=4096,
    )
    body = builder.body(name, BODY.replace("everything", name), service=service_threads > 0)
    operands = [Operand(Space.WEIGHTS), Operand(Space.ARENA), Operand(Space.ARENA, 1024), Operand(Space.PINNED)]
    run = builder.run(body, [*operands, *[Operand(builder.space(f"y{i}")) for i in range(outputs)]], [16] * parameters)
    streams = [[pin(Space.WEIGHTS, 64), run, signal(event, veu), wait(event, 1), barrier(0, 2)] for veu in range(2)]
    ring = {"ring_slots": 5, "ring_slot_bytes": 48} if service_threads else {"ring_slots": 2, "ring_slot_bytes": 16}
    builder.launch(streams, threads=128, service_threads=service_threads, scratch_bytes=4100, pinned_bytes=64, **ring)
    return builder.image()


@pytest.mark.parametrize("target", ["sm_80", "sm_90a", "sm_100"])
def test_the_whole_interface_compiles_and_links(target: str) -> None:
    built = build(program(), target)
    (kernel,) = built.kernels
    assert kernel.cubin.startswith(b"\x7fELF")
    assert kernel.launches == (0,)
    assert {"everything", "everything_service"} < set(built.functions)


@pytest.mark.parametrize(
    ("outputs", "parameters", "barriers"), [(1, 1, 1), (2, 2, 5), (3, 3, 2), (30, 41, 64), (1, 36, 3)]
)
def test_the_device_agrees_on_sizes(outputs: int, parameters: int, barriers: int) -> None:
    """The kernel does not compile where `layout.py` has another size for what it keeps in shared memory."""
    image = program(outputs=outputs, parameters=parameters, barriers=barriers)
    shape = geometry(image, list(image.launches))
    assert shape.shared_bytes > shape.ring_bytes + shape.scratch_bytes + shape.pinned_bytes
    build(image, "sm_90a")


def test_a_launch_without_service_role_agrees_on_sizes() -> None:
    image = program(service_threads=0)
    body = replace(image.bodies[0], source='extern "C" __device__ void everything(rammer::Task*) {}')
    build(replace(image, bodies=(body,)), "sm_90a")


def test_bodies_keep_few_registers_for_their_caller() -> None:
    """A body of many registers neither spills nor saves any: caller and callee share a leaner calling convention."""
    source = """
    extern "C" __device__ void large(rammer::Task* task) {
      float* p = rammer::operand<float>(task, 0);
      float values[80];
    #pragma unroll
      for (int i = 0; i < 80; ++i) values[i] = p[32 * i];
      rammer::barrier();
    #pragma unroll
      for (int i = 0; i < 80; ++i) p[32 * i + 1] = values[i];
    }
    """
    image = program()
    shape = replace(geometry(image, list(image.launches)), registers=168)
    compiled = compile_object(body_request(Body("large", source, service=False), shape, "sm_90a"))
    assert [(function.name, function.stack) for function in compiled.functions] == [("large", 0)]


def test_launches_of_one_shape_share_a_kernel() -> None:
    image = program()
    launch = image.launches[0]
    other = replace(launch, name="other", registers=96)
    built = build(replace(image, launches=(launch, other, replace(launch, name="again", scratch_bytes=9000))), "sm_90a")
    assert [kernel.launches for kernel in built.kernels] == [(0, 2), (1,)]
    assert built.kernels[0].geometry.scratch_bytes == 9000


def test_a_second_build_comes_from_the_cache() -> None:
    cache = CountingCache()
    first = build(program(), "sm_90a", cache)
    misses = cache.misses
    assert misses == 3
    assert build(program(), "sm_90a", cache) == first
    assert cache.misses == misses


def test_a_changed_body_is_the_only_one_compiled_again() -> None:
    cache = CountingCache()
    image = program()
    build(image, "sm_90a", cache)
    before = set(cache.entries)
    body = image.bodies[0]
    source = body.source.replace("task->index, 3)", "task->index, 5)")
    build(replace(image, bodies=(replace(body, source=source),)), "sm_90a", cache)
    assert len(set(cache.entries) - before) == 2


def test_keys_tell_architectures_options_and_headers_apart() -> None:
    request = CompileRequest("k", "source", {"h": "text"}, {"A": 1}, "sm_90a", 64)
    others = [
        replace(request, source="source "),
        replace(request, headers={"h": "texts"}),
        replace(request, definitions={"A": 2}),
        replace(request, architecture="sm_80"),
        replace(request, registers=72),
    ]
    assert len({request.key, *[other.key for other in others]}) == 6
    assert replace(request, name="other").key == request.key


def test_an_error_of_the_compiler_is_one_line_that_names_the_kernel() -> None:
    request = CompileRequest("broken", "int f( {", {}, {}, "sm_90a")
    with pytest.raises(CompileError, match=r"^kernel broken: CUDA code does not compile for sm_90a: .*error") as caught:
        compile_object(request)
    assert "\n" not in str(caught.value)
    assert "broken.cu" in caught.value.log


def test_an_error_of_the_linker_names_the_symbol() -> None:
    source = 'extern "C" __device__ int absent(); extern "C" __global__ void f(int* p) { *p = absent(); }'
    compiled = compile_object(CompileRequest("f", source, {}, {}, "sm_90a"))
    with pytest.raises(CompileError, match=r"^program: CUDA code does not link for sm_90a: .*") as caught:
        link("program", {"f": compiled.cubin}, "sm_90a")
    assert "absent" in caught.value.log


def test_warnings_of_slow_code_are_found() -> None:
    log = """ptxas info    : 0 bytes gmem
ptxas info    : (C7510) Potential Performance Loss: wgmma.mma_async instructions are serialized due to ... in 'f'
ptxas info    : Function properties for f
ptxas         .     16 bytes stack frame, 8 bytes spill stores, 12 bytes spill loads
"""
    found = serious_warning(log)
    assert found is not None
    assert "C7510" in found
    assert serious_warning(log.replace("C7510", "C0000").replace("wgmma", "mma")) is None
    (function,) = function_resources(log)
    assert (function.stack, function.spill_stores, function.spill_loads) == (16, 8, 12)


def test_setmaxnreg_that_is_ignored_is_an_error() -> None:
    source = """
    extern "C" __device__ void body(float* p);
    extern "C" __global__ void __launch_bounds__(384, 1) k(float* p) {
      asm volatile("setmaxnreg.inc.sync.aligned.u32 232;");
      body(p);
    }
    """
    with pytest.raises(CompileError, match=r"the code would be slow: .*setmaxnreg"):
        compile_object(CompileRequest("k", source, {}, {}, "sm_90a"))


def test_the_dispatcher_calls_bodies_by_their_numbers() -> None:
    bodies = [(3, Body("first", "", service=True)), (7, Body("second", "", service=False))]
    source = dispatcher_source(bodies)
    for text in (
        "case 3: ::first(task);",
        "case 7: ::second(task);",
        "case 3: ::first_service(task);",
        "case 3: return true;",
    ):
        assert text in source
    assert "second_service" not in source


def test_names_of_architectures() -> None:
    assert [architecture(8, 0), architecture(9, 0), architecture(10, 0)] == ["sm_80", "sm_90a", "sm_100"]


def test_without_a_driver_there_is_no_device(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent() -> None:
        raise DeviceError("there is no CUDA driver")

    monkeypatch.setattr(driver, "driver", absent)
    assert cuda_device_count() == 0
    with pytest.raises(DeviceError, match="there is no CUDA device 0: 0 found; use the cpu device"):
        Device()


def test_bodies_in_order_are_not_rearranged() -> None:
    image = program()
    shape = geometry(image, list(image.launches))
    requests = [body_request(Body("any", "", service=False, in_order=flag), shape, "sm_90a") for flag in (False, True)]
    assert ["--ptxas-options=-O3" in request.options for request in requests] == [True, False]
    assert ["--ptxas-options=-O1" in request.options for request in requests] == [False, True]
    assert requests[0].key != requests[1].key
