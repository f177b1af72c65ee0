"""CuPy: the only place that imports it, with the CUDA sources of our own kernels.

Read in this order: `kernels` (the CUDA sources), `operands` (arrays as kernels take them), `cublas`
(matrix products), `passes` (the primitives of a device with kernels), `counters` (numbers that
change every step), `recording` (a step as a graph), `steps` (updates, random numbers, batches), and
`device`, the only file that imports cupy; `installation` says what can be wrong on a machine.
"""
