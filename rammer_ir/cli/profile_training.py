"""`rammer profile`: measures what `rammer plan` needs to know of a PyTorch model and of the links between devices."""

import argparse
import json
import os
from pathlib import Path
from typing import Any

from rammer_ir.cli.train_plan import CONTRACT


def add_command(commands: "argparse._SubParsersAction[Any]") -> None:  # pyright: ignore[reportPrivateUsage]
    """Adds `profile` to the commands of `rammer`."""
    parser = commands.add_parser(
        "profile", help="measure a PyTorch model or the links between devices, for `rammer plan`"
    )
    kinds = parser.add_subparsers(title="what to measure", dest="kind", required=True)
    graph = kinds.add_parser(
        "graph",
        help="the layers of a model, on the device at hand",
        epilog=CONTRACT.partition("\n\n")[0],
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    graph.add_argument("model", help="the function that makes the model: model.py:make_model")
    graph.add_argument(
        "--batch", type=int, required=True, metavar="N", help="samples: those of a micro-batch on a device"
    )
    graph.add_argument("--device", choices=("cuda", "cpu"), help="where to measure (default: a GPU if there is one)")
    graph.add_argument("--repeats", type=int, default=10, metavar="N", help="of which the median counts (default 10)")
    graph.add_argument("-o", "--output", type=Path, metavar="FILE", help="where to write (default: standard output)")
    graph.set_defaults(execute=measure_graph)
    links = kinds.add_parser("links", help="all-reduce, point to point and split-concat, among the GPUs present")
    links.add_argument(
        "--processes", type=int, metavar="N", help="devices to use (default: all GPUs; without GPUs, 2 on the CPU)"
    )
    links.add_argument(
        "-o", "--output", type=Path, metavar="FILE.json", help="where to write, for `rammer plan --links`"
    )
    links.set_defaults(execute=measure_links)


def measure_graph(options: argparse.Namespace) -> int:
    """Measures a model and writes its profile; the exit code."""
    from rammer_ir.errors import DeviceError
    from rammer_ir.planner.profile import profile_text
    from rammer_ir.training.measure import measure_model
    from rammer_ir.training.model_file import load_model
    from rammer_ir.training.torch_extra import import_torch

    torch = import_torch()
    if options.device == "cuda" and not torch.cuda.is_available():
        raise DeviceError("there is no GPU that PyTorch can use: --device cpu measures on the CPU")
    device = torch.device(options.device or ("cuda" if torch.cuda.is_available() else "cpu"))
    measured = measure_model(load_model(options.model), options.batch, device, options.repeats)
    text = profile_text(measured.profile)
    if options.output is None:
        print(text, end="")
        return 0
    _write(options.output, text)
    layers = sum(layer.forward + layer.backward for layer in measured.profile.layers)
    print(f"{len(measured.profile.layers) - 1} layers on {device.type}, {options.batch} samples: {options.output}")
    print(f"they add up to {layers:.4g} s; the whole model takes {measured.whole:.4g} s")
    peak = f"--peak-activation {measured.peak_activation:.0f}"
    print(f"rammer plan {options.output} --profile-batch {options.batch} {peak} …")
    return 0


def measure_links(options: argparse.Namespace) -> int:
    """Measures links and writes their constants; the exit code."""
    from rammer_ir.training.processes import joined, start_with_torchrun, under_torchrun
    from rammer_ir.training.torch_extra import import_torch

    if not under_torchrun():
        gpus = int(import_torch().cuda.device_count())
        given = [] if options.output is None else [f"--output={options.output.resolve()}"]
        processes = options.processes or (gpus if gpus > 1 else 2)
        return start_with_torchrun(processes, ["profile", "links", *given])
    from rammer_ir.training.measure_links import measure_links

    with joined(lambda rank: f"rank {rank}") as process:
        found = measure_links(process, int(os.environ.get("LOCAL_WORLD_SIZE", process.ranks)))
    if process.rank:
        return 0
    text = json.dumps(found.to_json(), indent=2)
    if options.output is None:
        print(text)
        return 0
    _write(options.output, f"{text}\n")
    where = "GPUs" if process.device.type == "cuda" else "CPU processes (gloo, as there are no GPUs for them)"
    print(f"{process.ranks} {where} on {found.machines} machine(s), in GB/s: {options.output}")
    print(f"point to point {found.nvlink / 1e9:.3g}, all-reduce {found.reduce / 1e9:.3g} through each device, ", end="")
    print(f"split-concat {found.split_concat / 1e9:.3g}")
    return 0


def _write(path: Path, text: str) -> None:
    from rammer_ir.files import write_text_aside

    with write_text_aside(path) as file:
        file.write(text)
