"""The preludes that kernel bodies are compiled with: ``vdevice.cuh`` for CUDA, ``vdevice.hpp`` for the host."""
