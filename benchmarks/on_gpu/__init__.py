"""What `benchmarks/gpu.py` runs on a machine with a GPU, one part a file.

Read in this order: `workloads` (what is measured), `rows` and `timing`, then the parts `facts`,
`checks`, `questions` and `speed`, and `table`, which prints what they found.
"""
