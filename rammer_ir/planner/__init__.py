"""Plans for training one model on many devices, from a profile of its layers (DAPPLE, PPoPP 2021)."""

from rammer_ir.planner.api import Request, plan, plan_sweep
from rammer_ir.planner.cluster import Cluster
from rammer_ir.planner.plan import Estimate, Plan

__all__ = ["Cluster", "Estimate", "Plan", "Request", "plan", "plan_sweep"]
