"""Arithmetic on quasi-affine index maps, below every dialect: it knows only xDSL's affine expressions."""
