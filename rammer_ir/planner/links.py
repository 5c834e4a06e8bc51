"""Bandwidths of links as `rammer profile links` measures and writes them."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

from rammer_ir.errors import InvalidInputError


@dataclass(frozen=True, slots=True)
class Links:
    """
    Bytes a second: the constants of a `Cluster`, and what splitting and putting together reached.

    `nvlink` is from device to device within a machine, `reduce` through each device in an all-reduce there; `p2p` and
    `nccl` are the same between machines, or where there is one machine, within it. `split_concat` is from one half of
    the devices to the other. `backend` and `devices` say where they were measured.
    """

    nvlink: float
    p2p: float
    nccl: float
    reduce: float
    split_concat: float
    backend: str
    devices: tuple[str, ...]
    machines: int

    def to_json(self) -> dict[str, Any]:
        """The links as what `json.dump` takes."""
        return asdict(self)


def load_links(path: str | Path) -> Links:
    """
    Links from a file.

    Raises OSError, and InvalidInputError where the file is something else.
    """
    try:
        given: object = json.loads(Path(path).read_text(encoding="utf-8"))
        found = cast("Mapping[str, Any]", given)
        return Links(
            float(found["nvlink"]),
            float(found["p2p"]),
            float(found["nccl"]),
            float(found["reduce"]),
            float(found["split_concat"]),
            str(found["backend"]),
            tuple(map(str, found["devices"])),
            int(found["machines"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise InvalidInputError(f"not what `rammer profile links` writes: {error!r}", location=str(path)) from error
