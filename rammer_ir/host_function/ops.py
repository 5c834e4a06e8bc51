"""Importing this module registers the functions of all ops that run on the host."""

from rammer_ir.host_function import conversion, images, layout, lookup, optionals, selection, sequences, strings, unique

__all__ = ["conversion", "images", "layout", "lookup", "optionals", "selection", "sequences", "strings", "unique"]
