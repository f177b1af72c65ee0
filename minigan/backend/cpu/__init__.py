"""NumPy, and what makes it fast: blocked passes, threads, Winograd convolutions, recorded steps."""
