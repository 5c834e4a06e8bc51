"""Rammer IR: from an ONNX model to one statically scheduled, proved program."""
