"""Pictures of what the compiler and the planner decide, as pages that need nothing else."""
