"""Every printed op on numbers, special ones among them: compiled for the host and run against NumPy; and with NVRTC."""

import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from rammer_ir.context import new_context
from rammer_ir.dtypes import named_dtype
from rammer_ir.errors import CompileError
from rammer_ir.lowering.emission.encode_program import encode
from rammer_ir.parsing import parse_module
from rammer_ir.runtime.cache import CompileCache
from rammer_ir.runtime.cuda.build import build
from rammer_ir.runtime.host.program import HostProgram

Array = NDArray[Any]

PROGRAM = """
vdevice.device @device kind "host" veus 1 threads 32 shared 0 registers 0
rtask.kernel @kernel grid [1] reads [#rtask.box<(i) -> (0, 0) by [3, COUNT]>]
    writes [#rtask.box<(i) -> (0, 0) by [OPS, COUNT]>] {
^bb0(%i: index, %x: tensor<3xCOUNTxIN>, %y: tensor<OPSxCOUNTxOUT>):
  rtask.yield %y : tensor<OPSxCOUNTxOUT>
} implementation @body [COUNT]
block.body @body threads 32 {
^bb0(%task: index, %t: index, %x: memref<?xIN, "global">, %y: memref<?xOUT, "global">, %n: index):
  block.parallel thread (%i) in %n {
    %j = arith.addi %i, %n : index
    %k = arith.addi %j, %n : index
    %a = memref.load %x[%i] : memref<?xIN, "global">
    %b = memref.load %x[%j] : memref<?xIN, "global">
    %c = memref.load %x[%k] : memref<?xIN, "global">
CODE
  }
  block.yield
}
vdevice.program @main on @device inputs 1 names ["x", "y"] {
^bb0(%x: memref<3xCOUNTxIN>, %y: memref<OPSxCOUNTxOUT>):
  vdevice.launch veus 1 threads 32 service 0 ring 0 x 0 scratch 0 pinned 0 registers 0 {
    vdevice.run @kernel tasks [0, 1] place affine_map<(i) -> (0)>
      ins(%x : memref<3xCOUNTxIN>) outs(%y : memref<OPSxCOUNTxOUT>)
  }
}
"""


def program(ops: Sequence[str], count: int, kind: str, result: str) -> str:
    """
    A program that stores what each op gives for each column of its input; `T` in an op stands for its type.

    An op may be several statements, of which `%R = ...` gives the result and `%p` is of its own.
    """
    lines: list[str] = []
    for number, op in enumerate(ops):
        text = op if "%R" in op else f"%R = {op}"
        lines += [
            re.sub(r"%([Rp])", rf"%\g<1>{number}", text).replace("T", kind),
            f"%o{number} = arith.constant {number * count} : index",
            f"%to{number} = arith.addi %i, %o{number} : index",
            f'memref.store %R{number}, %y[%to{number}] : memref<?x{result}, "global">',
        ]
    text = PROGRAM.replace("CODE", "\n".join(lines)).replace("OPS", str(len(ops))).replace("COUNT", str(count))
    return text.replace("xIN", f"x{kind}").replace("xOUT", f"x{result}")


def results(ops: Sequence[str], x: Array, kind: str, result: str) -> Array:
    """What the ops give on the host."""
    module = parse_module(new_context(), program(ops, x.shape[1], kind, result))
    module.verify()
    loaded = HostProgram(encode(module), cache=CompileCache())
    try:
        return loaded.run({"x": x})["y"]
    finally:
        loaded.close()


Function = Callable[[Array, Array, Array], Array]

FLOAT_OPS: dict[str, Function] = {
    "arith.addf %a, %b : T": lambda a, b, c: a + b,
    "arith.subf %a, %b : T": lambda a, b, c: a - b,
    "arith.mulf %a, %b : T": lambda a, b, c: a * b,
    "arith.divf %a, %b : T": lambda a, b, c: a / b,
    "arith.negf %a : T": lambda a, b, c: -a,
    "arith.maximumf %a, %b : T": lambda a, b, c: np.maximum(a, b),
    "arith.minimumf %a, %b : T": lambda a, b, c: np.minimum(a, b),
    "arith.maxnumf %a, %b : T": lambda a, b, c: np.fmax(a, b),
    "arith.minnumf %a, %b : T": lambda a, b, c: np.fmin(a, b),
    "math.absf %a : T": lambda a, b, c: np.abs(a),
    "math.ceil %a : T": lambda a, b, c: np.ceil(a),
    "math.floor %a : T": lambda a, b, c: np.floor(a),
    "math.trunc %a : T": lambda a, b, c: np.trunc(a),
    "math.roundeven %a : T": lambda a, b, c: np.rint(a),
    "math.copysign %a, %b : T": lambda a, b, c: np.copysign(a, b),
    "math.exp %a : T": lambda a, b, c: np.exp(a),
    "math.exp2 %a : T": lambda a, b, c: np.exp2(a),
    "math.expm1 %a : T": lambda a, b, c: np.expm1(a),
    "math.log %a : T": lambda a, b, c: np.log(a),
    "math.log2 %a : T": lambda a, b, c: np.log2(a),
    "math.log10 %a : T": lambda a, b, c: np.log10(a),
    "math.log1p %a : T": lambda a, b, c: np.log1p(a),
    "math.sin %a : T": lambda a, b, c: np.sin(a),
    "math.cos %a : T": lambda a, b, c: np.cos(a),
    "math.tan %a : T": lambda a, b, c: np.tan(a),
    "math.asin %a : T": lambda a, b, c: np.arcsin(a),
    "math.acos %a : T": lambda a, b, c: np.arccos(a),
    "math.atan %a : T": lambda a, b, c: np.arctan(a),
    "math.atan2 %a, %b : T": lambda a, b, c: np.arctan2(a, b),
    "math.sinh %a : T": lambda a, b, c: np.sinh(a),
    "math.cosh %a : T": lambda a, b, c: np.cosh(a),
    "math.tanh %a : T": lambda a, b, c: np.tanh(a),
    "math.asinh %a : T": lambda a, b, c: np.arcsinh(a),
    "math.acosh %a : T": lambda a, b, c: np.arccosh(a),
    "math.atanh %a : T": lambda a, b, c: np.arctanh(a),
    "math.sqrt %a : T": lambda a, b, c: np.sqrt(a),
    "math.cbrt %a : T": lambda a, b, c: np.cbrt(a),
    "math.rsqrt %a : T": lambda a, b, c: 1 / np.sqrt(a),
    "math.powf %a, %b : T": lambda a, b, c: np.power(a, b),
    "math.fma %a, %b, %c : T": lambda a, b, c: (a.astype(np.longdouble) * b + c).astype(a.dtype),
}
COMPARISONS: dict[str, Function] = {
    "oeq": lambda a, b, c: a == b,
    "ogt": lambda a, b, c: a > b,
    "oge": lambda a, b, c: a >= b,
    "olt": lambda a, b, c: a < b,
    "ole": lambda a, b, c: a <= b,
    "one": lambda a, b, c: (a < b) | (a > b),
    "ord": lambda a, b, c: ~(np.isnan(a) | np.isnan(b)),
    "ueq": lambda a, b, c: ~((a < b) | (a > b)),
    "ugt": lambda a, b, c: ~(a <= b),
    "uge": lambda a, b, c: ~(a < b),
    "ult": lambda a, b, c: ~(a >= b),
    "ule": lambda a, b, c: ~(a > b),
    "une": lambda a, b, c: a != b,
    "uno": lambda a, b, c: np.isnan(a) | np.isnan(b),
}
INTEGER_OPS: dict[str, Function] = {
    "arith.addi %a, %b : T": lambda a, b, c: a + b,
    "arith.subi %a, %b : T": lambda a, b, c: a - b,
    "arith.muli %a, %b : T": lambda a, b, c: a * b,
    "arith.divsi %a, %c : T": lambda a, b, c: np.trunc(a.astype(np.longdouble) / c).astype(a.dtype),
    "arith.remsi %a, %c : T": lambda a, b, c: np.fmod(a, c),
    "arith.floordivsi %a, %c : T": lambda a, b, c: a // c,
    "arith.ceildivsi %a, %c : T": lambda a, b, c: -(-a // c),
    "arith.divui %a, %c : T": lambda a, b, c: (unsigned(a) // unsigned(c)).astype(a.dtype),
    "arith.remui %a, %c : T": lambda a, b, c: (unsigned(a) % unsigned(c)).astype(a.dtype),
    "arith.ceildivui %a, %c : T": lambda a, b, c: ((unsigned(a) - 1) // unsigned(c) + 1).astype(a.dtype),
    "arith.minsi %a, %b : T": lambda a, b, c: np.minimum(a, b),
    "arith.maxsi %a, %b : T": lambda a, b, c: np.maximum(a, b),
    "arith.minui %a, %b : T": lambda a, b, c: np.minimum(unsigned(a), unsigned(b)).astype(a.dtype),
    "arith.maxui %a, %b : T": lambda a, b, c: np.maximum(unsigned(a), unsigned(b)).astype(a.dtype),
    "arith.andi %a, %b : T": lambda a, b, c: a & b,
    "arith.ori %a, %b : T": lambda a, b, c: a | b,
    "arith.xori %a, %b : T": lambda a, b, c: a ^ b,
    "math.ipowi %a, %c : T": lambda a, b, c: integer_power(a, c),
}


def unsigned(values: Array) -> Array:
    return values.view(values.dtype.str.replace("i", "u"))


def integer_power(base: Array, exponent: Array) -> Array:
    """In Python's integers, then wrapped."""
    powers = [int(b) ** int(e) if e >= 0 else int(1 / int(b) ** -int(e)) for b, e in zip(base, exponent, strict=True)]
    bits = base.dtype.itemsize * 8
    return np.array([(power + 2 ** (bits - 1)) % 2**bits - 2 ** (bits - 1) for power in powers], base.dtype)


def floats(dtype: str) -> Array:
    """Three rows: of each two of some numbers, special ones among them, and of numbers of moderate size."""
    some = [0.0, -0.0, 1.0, -1.0, 0.5, -2.5, 3.5, 100.25, 1e-30, np.inf, -np.inf, np.nan]
    pairs = np.array([(a, b) for a in some for b in some]).astype(named_dtype(dtype)).T
    return np.stack([*pairs, np.linspace(-3, 3, pairs.shape[1]).astype(named_dtype(dtype))])


def integers(dtype: str) -> Array:
    """As `floats`; the third row is never 0 or -1, the first never that at which quotients overflow or wrap."""
    limits = np.iinfo(dtype)
    some = [1, -1, 2, -2, 7, -7, 100, -100, limits.max, limits.min + 1]
    pairs = np.array([(a, b) for a in some for b in some], dtype).T
    divisors = np.resize(np.array([3, -3, 7, 2, -5], dtype), pairs.shape[1])
    return np.stack([*pairs, divisors])


FLOATS = [("f32", "float32"), ("f64", "float64"), ("f16", "float16"), ("bf16", "bfloat16")]
WIDE = {"f64": "float64", "f32": "float32", "f16": "float32", "bf16": "float32"}
TOLERANCES = {"f64": 1e-12, "f32": 1e-5, "f16": 2e-3, "bf16": 2e-2}


@pytest.mark.parametrize(("kind", "dtype"), FLOATS)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_floats(kind: str, dtype: str) -> None:
    x = floats(dtype)
    y = results([*FLOAT_OPS], x, kind, kind).astype(WIDE[kind])
    exact = 13
    for number, (op, function) in enumerate(FLOAT_OPS.items()):
        wanted = rounded(function, x).astype(WIDE[kind])
        if number < exact or "absf" in op or "copysign" in op:
            np.testing.assert_array_equal(y[number], wanted, op)
            zero = wanted == 0
            if "num" not in op:
                np.testing.assert_array_equal(np.signbit(y[number])[zero], sign_of_zero(op, x, wanted)[zero], op)
        else:
            np.testing.assert_allclose(y[number], wanted, rtol=TOLERANCES[kind], err_msg=op)


def rounded(function: Function, x: Array) -> Array:
    """The function of three rows; of numbers of 16 bits, computed in float64 and rounded once."""
    return function(*x) if x.dtype.itemsize > 2 else function(*x.astype(np.float64)).astype(x.dtype)


def sign_of_zero(op: str, x: Array, wanted: Array) -> Array:
    """Signs of results that are zero; NumPy does not order -0 and +0, MLIR does."""
    if "maximumf" in op:
        return np.signbit(x[0]) & np.signbit(x[1])
    return np.signbit(x[0]) | np.signbit(x[1]) if "minimumf" in op else np.signbit(wanted)


@pytest.mark.parametrize(("kind", "dtype", "wide"), [("f16", "float16", "f64"), ("bf16", "bfloat16", "f32")])
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_rounding_to_sixteen_bits(kind: str, dtype: str, wide: str) -> None:
    """All numbers of 16 bits, what is halfway between two, and what is next to that."""
    numbers = np.arange(1 << 16, dtype=np.uint16).view(named_dtype(dtype))
    whole = numbers.astype({"f64": np.float64, "f32": np.float32}[wide])
    halfway = (whole + np.roll(whole, -1)) / 2
    x = np.stack([halfway, np.nextafter(halfway, np.inf), np.nextafter(halfway, -np.inf)]).astype(whole.dtype)
    x[2, :100] = whole[-100:]
    y = results([f"arith.truncf %{row} : T to {kind}" for row in "abc"], x, wide, kind)
    np.testing.assert_array_equal(y.astype(np.float32), x.astype(numbers.dtype).astype(np.float32))


@pytest.mark.parametrize(("kind", "dtype"), FLOATS)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_comparisons(kind: str, dtype: str) -> None:
    x = floats(dtype)
    ops = [f"arith.cmpf {predicate}, %a, %b : T" for predicate in COMPARISONS]
    y = results(ops, x, kind, "i1")
    for number, (predicate, function) in enumerate(COMPARISONS.items()):
        np.testing.assert_array_equal(y[number], function(*x), predicate)


@pytest.mark.parametrize("width", [8, 16, 32, 64])
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_integers(width: int) -> None:
    x = integers(f"int{width}")
    y = results([*INTEGER_OPS], x, f"i{width}", f"i{width}")
    for number, (op, function) in enumerate(INTEGER_OPS.items()):
        np.testing.assert_array_equal(y[number], function(*x), op)


def test_integer_comparisons() -> None:
    x = integers("int32")
    signed: dict[str, Function] = {
        "eq": lambda a, b, c: a == b,
        "ne": lambda a, b, c: a != b,
        "slt": lambda a, b, c: a < b,
        "sle": lambda a, b, c: a <= b,
        "sgt": lambda a, b, c: a > b,
        "sge": lambda a, b, c: a >= b,
        "ult": lambda a, b, c: unsigned(a) < unsigned(b),
        "ule": lambda a, b, c: unsigned(a) <= unsigned(b),
        "ugt": lambda a, b, c: unsigned(a) > unsigned(b),
        "uge": lambda a, b, c: unsigned(a) >= unsigned(b),
    }
    y = results([f"arith.cmpi {predicate}, %a, %b : T" for predicate in signed], x, "i32", "i1")
    for number, (predicate, function) in enumerate(signed.items()):
        np.testing.assert_array_equal(y[number], function(*x), predicate)


def test_shifts() -> None:
    x = integers("int32")
    x[2] = np.arange(x.shape[1]) % 32
    shifts: dict[str, Function] = {
        "arith.shli %a, %c : T": lambda a, b, c: a << c,
        "arith.shrsi %a, %c : T": lambda a, b, c: a >> c,
        "arith.shrui %a, %c : T": lambda a, b, c: (unsigned(a) >> unsigned(c)).view("int32"),
    }
    y = results([*shifts], x, "i32", "i32")
    for number, (op, function) in enumerate(shifts.items()):
        np.testing.assert_array_equal(y[number], function(*x), op)


def test_conversions() -> None:
    """Results are taken to 64 bits."""
    x = integers("int32")
    ops: dict[str, Function] = {
        "arith.extsi %a : i32 to i64": lambda a, b, c: a,
        "arith.extui %a : i32 to i64": lambda a, b, c: unsigned(a),
        "%p = arith.trunci %a : i32 to i8 \n %R = arith.extsi %p : i8 to i64": lambda a, b, c: a.astype("int8"),
        "%p = arith.trunci %a : i32 to i8 \n %R = arith.extui %p : i8 to i64": lambda a, b, c: a.astype("uint8"),
        "%p = arith.trunci %a : i32 to i1 \n %R = arith.extsi %p : i1 to i64": lambda a, b, c: -(a & 1),
        "%p = arith.trunci %a : i32 to i1 \n %R = arith.extui %p : i1 to i64": lambda a, b, c: a & 1,
        "%p = arith.sitofp %a : i32 to f64 \n %R = arith.fptosi %p : f64 to i64": lambda a, b, c: a,
        "%p = arith.uitofp %a : i32 to f64 \n %R = arith.fptosi %p : f64 to i64": lambda a, b, c: unsigned(a),
        "%p = arith.uitofp %a : i32 to f64 \n %R = arith.fptoui %p : f64 to i64": lambda a, b, c: unsigned(a),
        "%p = arith.index_cast %a : i32 to index \n %R = arith.index_cast %p : index to i64": lambda a, b, c: a,
        "%p = math.absi %a : i32 \n %R = arith.extsi %p : i32 to i64": lambda a, b, c: np.abs(a),
        "%p = arith.constant -7 : i64 \n %R = arith.select %less, %p, %wide : i64": lambda a, b, c: np.where(
            a < b, -7, a
        ),
        "%p = arith.constant 0x7FC00000 : f32 \n %R = arith.fptosi %single : f32 to i64": lambda a, b, c: b * 0 + 3,
        "%p = arith.bitcast %three : f32 to i32 \n %R = arith.extsi %p : i32 to i64": lambda a, b, c: (
            a * 0 + 0x40400000
        ),
        "%p = arith.andi %less, %more : i1 \n %R = arith.extui %p : i1 to i64": lambda a, b, c: (a < b) & (a < c),
        "%p = arith.xori %less, %more : i1 \n %R = arith.extui %p : i1 to i64": lambda a, b, c: (a < b) ^ (a < c),
        "%p = arith.ori %less, %more : i1 \n %R = arith.extui %p : i1 to i64": lambda a, b, c: (a < b) | (a < c),
    }
    first = """%less = arith.cmpi slt, %a, %b : i32
    %more = arith.cmpi slt, %a, %c : i32
    %wide = arith.extsi %a : i32 to i64
    %three = arith.constant 3.0 : f32
    %wider = arith.extf %three : f32 to f64
    %single = arith.truncf %wider : f64 to f32
    """
    y = results([first + "%R = arith.extsi %a : i32 to i64", *ops], x, "i32", "i64")
    for number, (op, function) in enumerate(ops.items()):
        np.testing.assert_array_equal(y[1 + number], function(*x), op)


@pytest.mark.parametrize(
    ("ops", "kind", "result"),
    [
        ([*FLOAT_OPS], "f32", "f32"),
        ([*FLOAT_OPS], "f64", "f64"),
        ([*FLOAT_OPS], "f16", "f16"),
        ([*FLOAT_OPS], "bf16", "bf16"),
        *(([*INTEGER_OPS], f"i{n}", f"i{n}") for n in (8, 16, 32, 64)),
    ],
)
def test_cuda_text_compiles(ops: Sequence[str], kind: str, result: str) -> None:
    pytest.importorskip("cuda.bindings.nvrtc")
    text = program(ops, 4, kind, result).replace('kind "host"', 'kind "cuda"')
    image = encode(parse_module(new_context(), text))
    assert build(image, "sm_80").kernels


def test_ops_that_are_not_printed() -> None:
    """One line that says which, and where."""
    with pytest.raises(CompileError, match=r"^<text>:\d+:\d+: math\.ctpop has no form in C$"):
        results(["math.ctpop %a : T"], integers("int32"), "i32", "i32")
