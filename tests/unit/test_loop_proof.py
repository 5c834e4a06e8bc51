"""Loops of run-time length: what is proved for a window of iterations holds for every length."""

from hypothesis import event, given, settings
from hypothesis import strategies as st
from xdsl.dialects.builtin import ModuleOp

from rammer_ir.context import new_context
from rammer_ir.dialects.vdevice import LaunchOp
from rammer_ir.errors import VerificationError
from rammer_ir.parsing import parse_module
from rammer_ir.pass_pipeline import parse_pass_pipeline
from rammer_ir.scheduling.loops import LoopCase
from rammer_ir.scheduling.program_form import ProgramForm, programs_of, read_program
from rammer_ir.scheduling.proof import prove_case, prove_launch

LONGEST = 24
"""Lengths up to this one are looked at whole; windows of the programs here are shorter, and so are the buffers."""

BUFFER = 'memref<14x4xf32, "global">'

ROWS_IN_LOOPS = ["t", "t + 1", "t + 2", "t - 1", "3", "0", "t mod 2", "(t + 1) mod 2", "t floordiv 2", "9 - t", "2 * t"]
ROWS_OUTSIDE = ["0", "1", "5", "13"]


@st.composite
def kernels(draw: st.DrawFn, name: str, *, in_loop: bool) -> str:
    """A kernel of one or two tasks that reads a box and writes a box."""
    boxes: list[str] = []
    for _ in range(2):
        row = draw(st.sampled_from(ROWS_IN_LOOPS if in_loop else ROWS_OUTSIDE))
        column = draw(st.sampled_from(["i * 2", "0"]))
        rows = draw(st.sampled_from([1, 1, 2]))
        arguments = "(i)[t]" if in_loop else "(i)"
        boxes.append(f"#rtask.box<{arguments} -> ({row}, {column}) by [{rows}, 2]>")
    index = ", %t: index" if in_loop else ""
    return (
        f"rtask.kernel @{name} grid [{draw(st.integers(1, 2))}] {'loops 1 ' if in_loop else ''}"
        f"reads [{boxes[0]}] writes [{boxes[1]}] {{\n"
        f"^bb0(%i: index{index}, %x: tensor<14x4xf32>, %y: tensor<14x4xf32>):\n"
        "  rtask.yield %y : tensor<14x4xf32>\n}\n"
    )


@st.composite
def programs(draw: st.DrawFn, *, with_events: bool = True) -> str:
    """A launch of two vEUs: runs, a loop or two, runs; barriers, and an event that iterations signal and wait for."""
    definitions: list[str] = []
    body: list[str] = []

    def run(*, in_loop: bool) -> None:
        name = f"k{len(definitions)}"
        kernel = draw(kernels(name, in_loop=in_loop))
        definitions.append(kernel)
        tasks = 2 if "grid [2]" in kernel else 1
        place = draw(st.sampled_from(["i", "1 - i"]))
        source, target = draw(st.sampled_from(["%a", "%b"])), draw(st.sampled_from(["%a", "%b"]))
        events = ""
        if with_events and in_loop and draw(st.booleans()):
            events = " signals(%e affine_map<(i) -> (i)> : !vdevice.event<2>)"
        if with_events and in_loop and draw(st.integers(0, 2)) == 0:
            count = draw(st.sampled_from(["t", "t", "t - 1", "1", "t + 1", "2"]))
            events = (
                f" waits(%e affine_map<(i)[t] -> ({draw(st.integers(0, 1))}, 1, {count})> : !vdevice.event<2>)" + events
            )
        at = " at(%t)" if in_loop else ""
        body.append(
            f"vdevice.run @{name} tasks [0, {tasks}] place affine_map<(i) -> ({place})> "
            f"ins({source} : {BUFFER}) outs({target} : {BUFFER}){at}{events}"
        )

    def barrier() -> None:
        if draw(st.booleans()):
            body.append("vdevice.barrier")

    for _ in range(draw(st.integers(0, 1))):
        run(in_loop=False)
        barrier()
    for _ in range(draw(st.integers(1, 2))):
        body.append("vdevice.for %t in %n {")
        for _ in range(draw(st.integers(1, 2))):
            barrier()
            run(in_loop=True)
        barrier()
        body.append("}")
        barrier()
    for _ in range(draw(st.integers(0, 1))):
        run(in_loop=False)
    lines = "\n".join(body)
    return f"""{"".join(definitions)}
vdevice.device @d kind "host" veus 2 threads 1 shared 0 registers 0
vdevice.program @main on @d inputs 0 names ["n"] {{
^bb0(%n: index):
  %a = vdevice.buffer offset 0 : {BUFFER}
  %b = vdevice.buffer offset 256 : {BUFFER}
  vdevice.launch veus 2 threads 1 service 0 ring 0 x 0 scratch 0 pinned 0 registers 0 {{
    %e = vdevice.event : !vdevice.event<2>
    {lines}
  }}
}}
"""


def read(text: str) -> tuple[ModuleOp, ProgramForm, LaunchOp]:
    module = parse_module(new_context(), text)
    module.verify()
    (program,) = programs_of(module)
    (launch,) = (op for op in program.walk() if isinstance(op, LaunchOp))
    return module, read_program(module, program), launch


def is_safe(form: ProgramForm, launch: LaunchOp, length: int) -> bool:
    """Whether the launch is proved at one length, with all its iterations looked at."""
    values = dict.fromkeys(form.op.length_arguments, length)
    try:
        prove_case(form, launch, LoopCase(values, {}, frozenset()))
    except VerificationError:
        return False
    return True


@settings(max_examples=40)
@given(programs())
def test_a_proof_holds_for_every_length(text: str) -> None:
    _, form, launch = read(text)
    try:
        prove_launch(form, launch)
    except VerificationError as error:
        needless = all(is_safe(form, launch, length) for length in range(LONGEST))
        event("refused, though safe: " + str(error)[:60] if needless else "rightly refused")
        return
    event("proved")
    for length in range(LONGEST):
        assert is_safe(form, launch, length), length


@settings(max_examples=25)
@given(programs(with_events=False))
def test_barriers_make_loops_safe(text: str) -> None:
    _, everywhere, launch = read(text.replace("vdevice.run", "vdevice.barrier\nvdevice.run"))
    if not all(is_safe(everywhere, launch, length) for length in range(LONGEST)):
        event("tasks of one run conflict")
        return
    module, form, launch = read(text)
    for pass_ in parse_pass_pipeline("insert-barriers"):
        pass_.apply(new_context(), module)
    for length in range(LONGEST):
        assert is_safe(form, launch, length), length
