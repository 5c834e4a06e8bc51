"""Modules with rOperators that are bound by memory, on images of [image, y, x, channel] and on rows, as text."""

from rammer_ir.testing.operators import PRODUCT, maps, tensor

IDENTITY = "^bb1(%p: f32): rop.yield %p : f32"


def depthwise_convolution(
    batch: int, size: int, channels: int, *, kernel: int = 3, stride: int = 1, pad: int | None = None
) -> str:
    """A filter a channel, bias and ReLU; weights are [y, x, channel]. The border is half the filter, unless given."""
    border = kernel // 2 if pad is None else pad
    side = (size + 2 * border - kernel) // stride + 1
    x, w = tensor(batch, size, size, channels), tensor(kernel, kernel, channels)
    y, b = tensor(batch, side, side, channels), tensor(channels)
    loops = "n, h, w, c"
    read = f"n, h * {stride} + y - {border}, w * {stride} + x - {border}, c"
    bounds = [batch, side, side, channels]
    padding = "pad [0.0 : f32, unit]" if border else ""
    return f"""
    rop.weight @filter : {w} hash "f"
    rop.weight @bias : {b} hash "b"
    func.func @main(%image: {x}) -> {y} {{
      %filter = rop.get_weight @filter : {w}
      %bias = rop.get_weight @bias : {b}
      %result = rop.operator ins(%image, %filter, %bias : {x}, {w}, {b}) {{
      ^bb0(%x: {x}, %k: {w}, %b: {b}):
        %sum = rop.generic bounds {[*bounds, kernel, kernel]} maps {maps(f"{loops}, y, x", read, "y, x, c", loops)}
            reduce [add] {padding} ins(%x, %k : {x}, {w}) {{ {PRODUCT} }} -> {y}
        %end = rop.generic bounds {bounds} maps {maps(loops, loops, "c", loops)} ins(%sum, %b : {y}, {b}) {{
        ^bb2(%p: f32, %q: f32):
          %s = arith.addf %p, %q : f32
          %zero = arith.constant 0.0 : f32
          %positive = arith.maximumf %s, %zero : f32
          rop.yield %positive : f32
        }} -> {y}
        rop.yield %end : {y}
      }} -> {y}
      func.return %result : {y}
    }}
    """


def maximum_pooling(batch: int, size: int, channels: int, *, window: int = 3, stride: int = 2) -> str:
    """Maxima over square windows with a border of half a window."""
    border = window // 2
    side = (size + 2 * border - window) // stride + 1
    x, y = tensor(batch, size, size, channels), tensor(batch, side, side, channels)
    read = f"n, h * {stride} + y - {border}, w * {stride} + x - {border}, c"
    bounds = [batch, side, side, channels, window, window]
    return f"""
    func.func @main(%image: {x}) -> {y} {{
      %result = rop.operator ins(%image : {x}) {{
      ^bb0(%x: {x}):
        %pooled = rop.generic bounds {bounds} maps {maps("n, h, w, c, y, x", read, "n, h, w, c")}
            reduce [maximum] pad [0xff800000 : f32] ins(%x : {x}) {{ {IDENTITY} }} -> {y}
        rop.yield %pooled : {y}
      }} -> {y}
      func.return %result : {y}
    }}
    """


def global_average(batch: int, size: int, channels: int) -> str:
    """The mean over all places of an image."""
    x, y = tensor(batch, size, size, channels), tensor(batch, channels)
    return f"""
    func.func @main(%image: {x}) -> {y} {{
      %result = rop.operator ins(%image : {x}) {{
      ^bb0(%x: {x}):
        %sum = rop.generic bounds {[batch, channels, size, size]} maps {maps("n, c, h, w", "n, h, w, c", "n, c")}
            reduce [add] ins(%x : {x}) {{ {IDENTITY} }} -> {y}
        %mean = rop.generic bounds {[batch, channels]} maps {maps("n, c", "n, c", "n, c")} ins(%sum : {y}) {{
        ^bb2(%p: f32):
          %scale = arith.constant {1 / (size * size):.9e} : f32
          %s = arith.mulf %p, %scale : f32
          rop.yield %s : f32
        }} -> {y}
        rop.yield %mean : {y}
      }} -> {y}
      func.return %result : {y}
    }}
    """


def layer_normalization(rows: int, columns: int) -> str:
    """Rows less their mean, over their standard deviation, times a weight, plus another: five generics."""
    matrix, column, row = tensor(rows, columns), tensor(rows), tensor(columns)
    bounds = [rows, columns]
    scale = f"arith.constant {1 / columns:.9e} : f32"
    return f"""
    rop.weight @gamma : {row} hash "g"
    rop.weight @beta : {row} hash "b"
    func.func @main(%a: {matrix}) -> {matrix} {{
      %g = rop.get_weight @gamma : {row}
      %b = rop.get_weight @beta : {row}
      %result = rop.operator ins(%a, %g, %b : {matrix}, {row}, {row}) {{
      ^bb0(%x: {matrix}, %gamma: {row}, %beta: {row}):
        %sum = rop.generic bounds {bounds} maps {maps("i, j", "i, j", "i")} reduce [add]
            ins(%x : {matrix}) {{ {IDENTITY} }} -> {column}
        %centered = rop.generic bounds {bounds} maps {maps("i, j", "i, j", "i", "i, j")}
            ins(%x, %sum : {matrix}, {column}) {{
        ^bb2(%p: f32, %q: f32):
          %scale = {scale}
          %mean = arith.mulf %q, %scale : f32
          %d = arith.subf %p, %mean : f32
          rop.yield %d : f32
        }} -> {matrix}
        %squares = rop.generic bounds {bounds} maps {maps("i, j", "i, j", "i")} reduce [add]
            ins(%centered : {matrix}) {{
        ^bb3(%p: f32):
          %s = arith.mulf %p, %p : f32
          rop.yield %s : f32
        }} -> {column}
        %factor = rop.generic bounds {[rows]} maps {maps("i", "i", "i")} ins(%squares : {column}) {{
        ^bb4(%p: f32):
          %scale = {scale}
          %variance = arith.mulf %p, %scale : f32
          %epsilon = arith.constant 1.0e-05 : f32
          %positive = arith.addf %variance, %epsilon : f32
          %f = math.rsqrt %positive : f32
          rop.yield %f : f32
        }} -> {column}
        %end = rop.generic bounds {bounds} maps {maps("i, j", "i, j", "i", "j", "j", "i, j")}
            ins(%centered, %factor, %gamma, %beta : {matrix}, {column}, {row}, {row}) {{
        ^bb5(%p: f32, %f: f32, %g1: f32, %b1: f32):
          %s = arith.mulf %p, %f : f32
          %t = arith.mulf %s, %g1 : f32
          %u = arith.addf %t, %b1 : f32
          rop.yield %u : f32
        }} -> {matrix}
        rop.yield %end : {matrix}
      }} -> {matrix}
      func.return %result : {matrix}
    }}
    """


def element_wise_sum(rows: int, columns: int) -> str:
    """The sum of two matrices, or 0 where it is negative."""
    matrix = tensor(rows, columns)
    return f"""
    func.func @main(%a: {matrix}, %b: {matrix}) -> {matrix} {{
      %result = rop.operator ins(%a, %b : {matrix}, {matrix}) {{
      ^bb0(%x: {matrix}, %y: {matrix}):
        %sum = rop.generic bounds {[rows, columns]} maps {maps("i, j", "i, j", "i, j", "i, j")}
            ins(%x, %y : {matrix}, {matrix}) {{
        ^bb1(%p: f32, %q: f32):
          %s = arith.addf %p, %q : f32
          %zero = arith.constant 0.0 : f32
          %positive = arith.maximumf %s, %zero : f32
          rop.yield %positive : f32
        }} -> {matrix}
        rop.yield %sum : {matrix}
      }} -> {matrix}
      func.return %result : {matrix}
    }}
    """
