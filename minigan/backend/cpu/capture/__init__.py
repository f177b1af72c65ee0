"""Recorded steps on the CPU: a small compiler, from a trace to a program to its replay."""
