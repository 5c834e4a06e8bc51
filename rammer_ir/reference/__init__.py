"""The pages of docs/reference, made from the code: `python -m rammer_ir.reference`."""
