"""Recorded steps on the CPU: a small compiler, from a trace to a program to its replay.

Read in this order:

    program    a step as data: calls on numbered slots; it prints itself
    readonly   arrays that Python may not write to while a step is recorded
    optimize   passes that take a program and return a smaller or faster one
    schedule   which calls may run side by side, by critical path
    lanes      runs a schedule on several threads
    replay     runs a program as one Python function or in lanes, whichever is faster
    tracer     notes down what a step asks for, and makes the program
    tracing    NumPy as a device whose primitives report to the tracer
"""
