"""Errors that a user can cause or has to know of: one line that says what is wrong, where, and what to do."""

from xdsl.utils.exceptions import DiagnosticException


class RammerError(DiagnosticException):
    """
    What Rammer IR reports to its user; the tools print it as one line and exit with code 1.

    `location` says where: an ONNX node, an op, a file with line and column.
    `stage` says during what ("pass tile", "target cuda"); whoever runs the stage sets it.
    """

    def __init__(self, message: str, *, location: str | None = None, stage: str | None = None):
        super().__init__(message)
        self.message = message
        self.location = location
        self.stage = stage

    def __str__(self) -> str:
        return ": ".join(part for part in (self.location, self.stage, self.message) if part is not None)


class UnsupportedModelError(RammerError):
    """The model holds something that is not compiled (yet): an op, an attribute, a type, an opset."""


class InvalidInputError(RammerError):
    """A file, an argument or an input array is not what it should be: missing, damaged, wrong shape or dtype."""


class PipelineError(RammerError):
    """A pass pipeline names an unknown pass or gives a pass an option that it does not have."""


class PassError(RammerError):
    """A pass could not do its work; the cause is chained."""


class VerificationError(RammerError):
    """The IR breaks a rule: an op's own, or one that no op can check alone, such as the safety of a program."""


class CompileError(RammerError):
    """
    A kernel could not be compiled or linked.

    `log` is the compiler's own output, of any length.
    """

    def __init__(self, message: str, *, location: str | None = None, stage: str | None = None, log: str = ""):
        super().__init__(message, location=location, stage=stage)
        self.log = log


class MissingCompilerError(CompileError):
    """There is no C++ compiler on this machine; the message says how to get one."""


class DeviceError(RammerError):
    """The device is absent, too small for the program, or failed."""


class ProgramTimeoutError(RammerError):
    """A wait of a running program did not end in time; the message names the event."""


class CacheError(RammerError):
    """The cache folder cannot be read or written."""


def describe_exception(error: Exception) -> str:
    """The error's message; with its type, unless it is a diagnostic, which is meant to be read."""
    return str(error) if isinstance(error, DiagnosticException) else f"{type(error).__name__}: {error}"
