"""What minigan asks of the machine: threads, memory, files, locks, the console, signals.

Reading order: first_use (imports that wait); turn (a lock that survives a fork), blas and threads
(one pool for all), allocator, machine (what it is); paths, files (never half written), json_files,
lock; starting and interrupt (signals), console (messages to people), notebook and progress. Nothing
here knows what a tensor is.
"""
