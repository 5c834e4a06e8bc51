"""Modules with rOperators of the usual kinds in given sizes, as text: what tilings and lowerings are tried on."""

from collections.abc import Sequence
from math import prod

PRODUCT = """
^bb1(%p: f32, %q: f32):
  %product = arith.mulf %p, %q : f32
  rop.yield %product : f32
"""


def tensor(*shape: int, element: str = "f32") -> str:
    """The type of a tensor."""
    return f"tensor<{''.join(f'{extent}x' for extent in shape)}{element}>"


def maps(dims: str, *results: str, symbols: str = "") -> str:
    """Maps with the same dimensions, as a generic takes them."""
    return "[" + ", ".join(f"affine_map<({dims}){symbols} -> ({result})>" for result in results) + "]"


def convolution(
    *,
    batch: int = 1,
    groups: int = 1,
    channels: int = 3,
    filters: int = 8,
    size: tuple[int, int] = (8, 8),
    kernel: tuple[int, int] = (3, 3),
    stride: int = 1,
    dilation: int = 1,
    pad: int = 0,
    residual: bool = False,
    channels_last: bool = False,
) -> str:
    """
    A convolution plus twice its bias, or plus bias and a residual, then ReLU.

    `channels` and `filters` are those of one group.

    The image is [batch, groups * channels, height, width], the result [batch, groups, filters, height, width]; with
    `channels_last` channels, groups and filters come behind height and width.
    """
    height, width = (
        (extent + 2 * pad - dilation * (k - 1) - 1) // stride + 1 for extent, k in zip(size, kernel, strict=True)
    )
    loops, extents = "n, g, o, h, w", [batch, groups, filters, height, width]
    image = tensor(batch, groups * channels, *size)
    plane = [f"{axis} * {stride} + {tap} * {dilation} - {pad}" for axis, tap in ("hy", "wx")]
    read = ", ".join(["n", f"g * {channels} + i", *plane])
    if channels_last:
        loops, extents = "n, h, w, g, o", [batch, height, width, groups, filters]
        image, read = tensor(batch, *size, groups * channels), ", ".join(["n", *plane, f"g * {channels} + i"])
    result = tensor(*extents)
    weight, bias = tensor(groups, filters, channels, *kernel), tensor(groups, filters)
    bounds = [*extents, channels, *kernel]
    padding = "pad [0.0 : f32, unit]" if pad else ""
    reads = [loops, "g, o", *([loops] if residual else [])]
    values, types, arguments = "%sum, %b", f"{result}, {bias}", "%p: f32, %q: f32"
    if residual:
        values, types, arguments = f"{values}, %v", f"{types}, {result}", f"{arguments}, %r: f32"
    return f"""
    rop.weight @filter : {weight} hash "f"
    rop.weight @bias : {bias} hash "b"
    func.func @main(%image: {image}, %residual: {result}) -> {result} {{
      %filter = rop.get_weight @filter : {weight}
      %bias = rop.get_weight @bias : {bias}
      %result = rop.operator ins(%image, %filter, %bias, %residual : {image}, {weight}, {bias}, {result}) {{
      ^bb0(%x: {image}, %k: {weight}, %b: {bias}, %v: {result}):
        %sum = rop.generic bounds {bounds} maps {maps(f"{loops}, i, y, x", read, "g, o, i, y, x", loops)}
            reduce [add] {padding} ins(%x, %k : {image}, {weight}) {{ {PRODUCT} }} -> {result}
        %end = rop.generic bounds {bounds[:5]} maps {maps(loops, *reads, loops)} ins({values} : {types}) {{
        ^bb2({arguments}):
          %s = arith.addf %p, %q : f32
          %t = arith.addf %s, {"%r" if residual else "%q"} : f32
          %zero = arith.constant 0.0 : f32
          %positive = arith.maximumf %t, %zero : f32
          rop.yield %positive : f32
        }} -> {result}
        rop.yield %end : {result}
      }} -> {result}
      func.return %result : {result}
    }}
    """


def matrix_product(
    *, m: int = 8, n: int = 8, k: int = 8, batch: int = 1, is_transposed: bool = False, weight_first: bool = False
) -> str:
    """
    A product of [batch, m, k] and a weight [k, n] (or [n, k]), then tanh.

    With `weight_first` the weight is the left factor of the scalar product.
    """
    x, w, result = tensor(batch, m, k), tensor(*((n, k) if is_transposed else (k, n))), tensor(batch, m, n)
    reads, types = ["b, i, r", "j, r" if is_transposed else "r, j"], [x, w]
    values = ["%x", "%w"]
    if weight_first:
        reads, types, values = reads[::-1], types[::-1], values[::-1]
    return f"""
    rop.weight @w : {w} hash "w"
    func.func @main(%a: {x}) -> {result} {{
      %b = rop.get_weight @w : {w}
      %result = rop.operator ins(%a, %b : {x}, {w}) {{
      ^bb0(%x: {x}, %w: {w}):
        %sum = rop.generic bounds {[batch, m, n, k]} maps {maps("b, i, j, r", *reads, "b, i, j")}
            reduce [add] ins({", ".join(values)} : {", ".join(types)}) {{ {PRODUCT} }} -> {result}
        %end = rop.generic bounds {[batch, m, n]} maps {maps("b, i, j", "b, i, j", "b, i, j")} ins(%sum : {result}) {{
        ^bb2(%p: f32):
          %t = math.tanh %p : f32
          rop.yield %t : f32
        }} -> {result}
        rop.yield %end : {result}
      }} -> {result}
      func.return %result : {result}
    }}
    """


def softmax(rows: int, columns: int) -> str:
    """Softmax over the rows of a matrix: four generics."""
    matrix, column = tensor(rows, columns), tensor(rows)
    bounds = [rows, columns]
    return f"""
    func.func @main(%a: {matrix}) -> {matrix} {{
      %result = rop.operator ins(%a : {matrix}) {{
      ^bb0(%x: {matrix}):
        %highest = rop.generic bounds {bounds} maps {maps("i, j", "i, j", "i")} reduce [maximum] ins(%x : {matrix}) {{
        ^bb1(%p: f32):
          rop.yield %p : f32
        }} -> {column}
        %powers = rop.generic bounds {bounds} maps {maps("i, j", "i, j", "i", "i, j")}
            ins(%x, %highest : {matrix}, {column}) {{
        ^bb2(%p: f32, %q: f32):
          %d = arith.subf %p, %q : f32
          %e = math.exp %d : f32
          rop.yield %e : f32
        }} -> {matrix}
        %sum = rop.generic bounds {bounds} maps {maps("i, j", "i, j", "i")} reduce [add] ins(%powers : {matrix}) {{
        ^bb3(%p: f32):
          rop.yield %p : f32
        }} -> {column}
        %shares = rop.generic bounds {bounds} maps {maps("i, j", "i, j", "i", "i, j")}
            ins(%powers, %sum : {matrix}, {column}) {{
        ^bb4(%p: f32, %q: f32):
          %d = arith.divf %p, %q : f32
          rop.yield %d : f32
        }} -> {matrix}
        rop.yield %shares : {matrix}
      }} -> {matrix}
      func.return %result : {matrix}
    }}
    """


def pooling(
    *,
    channels: int = 4,
    size: tuple[int, int] = (8, 8),
    window: tuple[int, int] = (2, 2),
    stride: int = 2,
    pad: int = 0,
    is_average: bool = False,
) -> str:
    """Maximum or average pooling of [channels, height, width]; the average counts the border's zeros."""
    height, width = ((extent + 2 * pad - k) // stride + 1 for extent, k in zip(size, window, strict=True))
    image, result = tensor(channels, *size), tensor(channels, height, width)
    bounds = [channels, height, width, *window]
    read = f"c, h * {stride} + y - {pad}, w * {stride} + x - {pad}"
    outside = "0.0" if is_average else "0xff800000"
    padding = f"pad [{outside} : f32]" if pad else ""
    combiner, scale = ("add", 1 / prod(window)) if is_average else ("maximum", 1.0)
    return f"""
    func.func @main(%a: {image}) -> {result} {{
      %result = rop.operator ins(%a : {image}) {{
      ^bb0(%x: {image}):
        %pooled = rop.generic bounds {bounds} maps {maps("c, h, w, y, x", read, "c, h, w")}
            reduce [{combiner}] {padding} ins(%x : {image}) {{
        ^bb1(%p: f32):
          rop.yield %p : f32
        }} -> {result}
        %scaled = rop.generic bounds {bounds[:3]} maps {maps("c, h, w", "c, h, w", "c, h, w")}
            ins(%pooled : {result}) {{
        ^bb2(%p: f32):
          %scale = arith.constant {scale:.8e} : f32
          %s = arith.mulf %p, %scale : f32
          rop.yield %s : f32
        }} -> {result}
        rop.yield %scaled : {result}
      }} -> {result}
      func.return %result : {result}
    }}
    """


def broadcast_sum(shape: Sequence[int], is_broadcast: Sequence[bool]) -> str:
    """A tensor plus one with extent 1 where `is_broadcast` says so, plus the last index; the result is transposed."""
    whole = tensor(*shape)
    small = tensor(*(1 if flag else extent for extent, flag in zip(shape, is_broadcast, strict=True)))
    result = tensor(*reversed(shape))
    names = [f"i{position}" for position in range(len(shape))]
    read = ", ".join("0" if flag else name for name, flag in zip(names, is_broadcast, strict=True))
    dims = ", ".join(names)
    return f"""
    func.func @main(%a: {whole}, %b: {small}) -> {result} {{
      %result = rop.operator ins(%a, %b : {whole}, {small}) {{
      ^bb0(%x: {whole}, %y: {small}):
        %sum = rop.generic bounds {list(shape)} maps {maps(dims, dims, read, ", ".join(reversed(names)))}
            ins(%x, %y : {whole}, {small}) {{
        ^bb1(%p: f32, %q: f32):
          %last = rop.index {len(shape) - 1}
          %number = arith.index_cast %last : index to i32
          %float = arith.sitofp %number : i32 to f32
          %s = arith.addf %p, %q : f32
          %t = arith.addf %s, %float : f32
          rop.yield %t : f32
        }} -> {result}
        rop.yield %sum : {result}
      }} -> {result}
      func.return %result : {result}
    }}
    """


def concatenation(rows: int, parts: Sequence[int]) -> str:
    """The squares of matrices with `rows` rows, written side by side into one: an operator for each."""
    width = sum(parts)
    result = tensor(rows, width)
    arguments = ", ".join(f"%a{number}: {tensor(rows, part)}" for number, part in enumerate(parts))
    lines: list[str] = []
    for number, part in enumerate(parts):
        source, start = tensor(rows, part), sum(parts[:number])
        lines.append(f"""
        %t{number + 1} = rop.operator ins(%a{number}, %t{number} : {source}, {result}) {{
        ^bb0(%x: {source}, %y: {result}):
          %squares = rop.generic bounds {[rows, part]} maps {maps("i, j", "i, j", f"i, j + {start}")}
              ins(%x : {source}) into(%y : {result}) {{
          ^bb1(%p: f32):
            %s = arith.mulf %p, %p : f32
            rop.yield %s : f32
          }} -> {result}
          rop.yield %squares : {result}
        }} -> {result}
        """)
    return f"""
    func.func @main({arguments}) -> {result} {{
      %t0 = tensor.empty() : {result}
      {"".join(lines)}
      func.return %t{len(parts)} : {result}
    }}
    """
