"""The demonstration of `make demo`: a real convolutional network and a recurrent one, compiled, run and checked."""
