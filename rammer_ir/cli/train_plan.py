"""`rammer train-plan`: trains a PyTorch model as a plan of `rammer plan --json` says."""

import argparse
import json
import os
import sys
from typing import TYPE_CHECKING, Any

from rammer_ir.cli.schedule_options import add_plan_argument, add_schedule_options
from rammer_ir.errors import InvalidInputError

if TYPE_CHECKING:
    from rammer_ir.planner.saved_plan import SavedPlan
    from rammer_ir.training.train import Training

CONTRACT = """\
make_model() returns (model, batch, loss) or (model, batch, loss, optimizer):
  model                    a torch.nn.Module, which returns one tensor
  batch(samples, step)     returns (inputs, targets), whose first dimension is that of the samples
  loss(output, targets)    the mean over the samples
  optimizer(parameters)    a torch.optim.Optimizer (default SGD with learning rate 0.01)

Starts a process for each device of the plan, or runs under torchrun: with NCCL where there is a GPU for each process,
with gloo on the CPU otherwise.
"""


def add_command(commands: "argparse._SubParsersAction[Any]") -> None:  # pyright: ignore[reportPrivateUsage]
    """Adds `train-plan` to the commands of `rammer`."""
    parser = commands.add_parser(
        "train-plan",
        help="train a PyTorch model by a plan of `rammer plan --json`",
        epilog=CONTRACT,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_plan_argument(parser)
    parser.add_argument("model", nargs="?", help="the function that makes the model: model.py:make_model")
    parser.add_argument("--steps", type=int, default=10, metavar="N", help="iterations (default 10)")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of the weights (default 0)")
    add_schedule_options(parser)
    parser.add_argument("--print-program", action="store_true", help="print what each rank does as IR, and end")
    parser.add_argument("--json", action="store_true", help="print the result for machines")
    parser.set_defaults(execute=execute)


def execute(options: argparse.Namespace) -> int:
    """Trains and prints; the exit code."""
    from rammer_ir.planner.instructions import plan_program
    from rammer_ir.planner.saved_plan import load_plan

    plan = load_plan(options.plan)
    if options.print_program:
        print(plan_program(plan, options.warmup, options.depth))
        return 0
    if options.model is None:
        raise InvalidInputError("which model? Its function is named as model.py:make_model (see train-plan --help)")
    from rammer_ir.training.processes import has_gpus, start_with_torchrun, under_torchrun

    if under_torchrun():
        return _train(plan, options)
    _check(plan, options)
    if not has_gpus(plan.ranks):
        print(f"there is no GPU for each of {plan.ranks} processes: on the CPU, with gloo", file=sys.stderr, flush=True)
    given = [str(options.plan), options.model, f"--steps={options.steps}", f"--seed={options.seed}"]
    given += [f"--warmup={options.warmup}", *([] if options.depth is None else [f"--depth={options.depth}"])]
    return start_with_torchrun(plan.ranks, ["train-plan", *given, *(["--json"] if options.json else [])])


def _training(options: argparse.Namespace) -> "Training":
    """How to train, by the options."""
    from rammer_ir.training.train import Training

    return Training(options.steps, options.seed, options.warmup, options.depth)


def _check(plan: "SavedPlan", options: argparse.Namespace) -> None:
    """Finds here, once, what every process would find wrong with the options, the model and the plan."""
    from rammer_ir.planner.instructions import plan_program
    from rammer_ir.training.layers import trace_layers
    from rammer_ir.training.model_file import load_model
    from rammer_ir.training.partition import model_parts

    _training(options)
    plan_program(plan, options.warmup, options.depth)
    model_parts(trace_layers(load_model(options.model)), plan)


def _train(plan: "SavedPlan", options: argparse.Namespace) -> int:
    """This process's part of the training; rank 0 prints."""
    from rammer_ir.training.train import train_plan

    def report(step: int, loss: float, seconds: float) -> None:
        print(
            f"step {step}: loss {loss:.6g}, {seconds:.4g} s",
            file=sys.stderr if options.json else sys.stdout,
            flush=True,
        )

    first = os.environ["RANK"] == "0"
    training = _training(options)
    trained = train_plan(plan, options.model, training, report if first else None)
    # A warm-up depth of one's own has no prediction of its own: most give what the whole policy does.
    expected = plan.seconds[training.warmup]
    if first and options.json:
        found = {"losses": trained.losses, "seconds": trained.seconds, "backend": trained.process.backend}
        print(json.dumps(found | {"median_seconds": trained.median, "predicted_seconds": expected}, indent=2))
    elif first:
        on = f"{plan.ranks} processes, {trained.process.backend} on {trained.process.device.type}"
        print(f"a step takes {trained.median:.4g} s ({on}); the plan expects {expected:.4g} s")
    return 0
