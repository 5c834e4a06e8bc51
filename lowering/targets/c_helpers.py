"""Small functions that C lacks, printed before the bodies that call them. Both targets have those of this file."""

from importlib.resources import files
from typing import Final

COMMON_HELPERS: Final = {
    "floor_divide": """\
template <typename T>
{inline} T rammer_floor_divide(T a, T b) {{
  return a / b - (a % b != 0 && (a < 0) != (b < 0));
}}""",
    "ceil_divide": """\
template <typename T>
{inline} T rammer_ceil_divide(T a, T b) {{
  return a / b + (a % b != 0 && (a < 0) == (b < 0));
}}""",
    "smaller": """\
template <typename T>
{inline} T rammer_smaller(T a, T b) {{
  return a < b ? a : b;
}}""",
    "larger": """\
template <typename T>
{inline} T rammer_larger(T a, T b) {{
  return a > b ? a : b;
}}""",
    "integer_power": """\
template <typename T, typename U>
{inline} T rammer_integer_power(T base, T exponent) {{
  if (exponent < 0) {{
    return base == 1 || base == -1 ? (exponent % 2 != 0 ? base : T(1)) : T(0);
  }}
  U result = 1, square = U(base);
  for (; exponent > 0; exponent /= 2) {{
    result = exponent % 2 != 0 ? U(result * square) : result;
    square = U(square * square);
  }}
  return T(result);
}}""",
    "bits": """\
template <typename To, typename From>
{inline} To rammer_bits(From from) {{
  To to;
  memcpy(&to, &from, sizeof to);
  return to;
}}""",
}
"""Name to definition, for `str.format` with the qualifiers `inline`."""


HALF: Final = "half"
"""Name of what a text needs that has numbers of 16 bits."""


def half_text() -> str:
    """The definitions of the types of 16 bits."""
    return files("rammer_ir.runtime.device").joinpath("half.hpp").read_text()


def guarded(name: str, definition: str) -> str:
    """The definition, for a text that may hold it several times."""
    macro = f"RAMMER_{name.upper()}"
    return f"#ifndef {macro}\n#define {macro}\n{definition}\n#endif\n"
