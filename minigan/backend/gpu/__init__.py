"""CuPy: the only place that imports it, with the CUDA sources of our own kernels."""
