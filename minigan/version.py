"""minigan's version: a file of its own, which every room can import."""

__version__ = "0.2.0"
