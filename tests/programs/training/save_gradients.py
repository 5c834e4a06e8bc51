"""Runs an iteration of each plan named on the command line, and saves each rank's gradients and part of the loss."""

import sys
from pathlib import Path

import torch

from rammer_ir.planner.saved_plan import load_plan
from rammer_ir.training.model_file import load_model
from rammer_ir.training.processes import joined
from rammer_ir.training.train import Training, make_executor

model_file, *plans = sys.argv[1:]
with joined(lambda rank: f"rank {rank}", 4) as process:
    for file in map(Path, plans):
        model = load_model(model_file)
        plan = load_plan(file)
        executor = make_executor(plan, model, process, Training())
        for _ in range(2):
            loss = executor.iterate(*model.inputs(plan.global_batch, 0))
        gradients = {name: value.grad for name, value in model.module.named_parameters() if value.grad is not None}
        torch.save((float(loss), gradients), file.with_suffix(f".{process.rank}.pt"))
