"""How the tools report errors: one line on stderr, exit code 1, a traceback only when asked for."""

import os
import sys
import traceback
from collections.abc import Callable

from xdsl.utils.exceptions import DiagnosticException, ParseError

from rammer_ir.errors import RammerError


def _one_line(text: str) -> str:
    return " ".join(text.split())


def describe_error(tool: str, error: Exception) -> str:
    """The error as one line: `place: error: stage: message`; the tool's name stands for an unknown place."""
    match error:
        case RammerError():
            place, message = error.location, error.message
            if error.stage is not None:
                message = f"{error.stage}: {message}"
        case ParseError():
            place, message = str(error.span.get_location()), error.msg
        case DiagnosticException():
            place, message = None, str(error)
        case OSError():
            place = None if error.filename is None else str(error.filename)
            message = error.strerror or str(error)
        case _:
            place, message = None, f"internal error: {type(error).__name__}: {error} (--debug gives a traceback)"
    return _one_line(f"{place or tool}: error: {message}")


def run_tool(tool: str, main: Callable[[], int], *, debug: bool) -> int:
    """
    The exit code of the tool's main function, which has any exception reported.

    `debug` adds the traceback.
    """
    try:
        return main()
    except BrokenPipeError:
        # The reader has gone, as in `rammer-opt … | head`; nothing more may be written, not even at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        return 130
    except Exception as error:
        if debug:
            traceback.print_exc()
        print(describe_error(tool, error), file=sys.stderr)
        return 1
