"""NumPy, and what makes it fast: blocked passes, threads, Winograd convolutions, recorded steps.

Read in this order: `blocks` (arrays cut for the cache and the threads), `sums`, `passes` (over
elements), `winograd`, `convolution` (its plan, and the forms it chooses from), `capture` (recorded
steps), `device` (all of these put together).
"""
