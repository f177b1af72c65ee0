"""How a run's config names the class of its model, and how a changed class is noticed."""

from __future__ import annotations

import ast
import inspect
import textwrap
import zlib
from typing import Any, Mapping

PACKAGE = __name__.partition(".")[0]


def qualified(model: type) -> str:
    """A class's name as a run's config has it: "minigan.models.gan:GAN", "__main__:MyGAN"."""
    return f"{model.__module__}:{model.__qualname__}"


def is_own(config: Mapping[str, Any]) -> bool:
    """Whether a run's class is a user's own, which no command of minigan can find."""
    return not in_package(config.get("class"))


def in_package(recorded: str | None) -> bool:
    """Whether a class is one of minigan's. recorded: its `qualified` name; None for runs of early
    versions, which recorded no class and had no others.
    """
    return recorded is None or recorded.startswith(f"{PACKAGE}.")


def source_crc(model: type) -> int | None:
    """A checksum of a class's source text, including its bases outside of minigan.

    Comments, docstrings and layout do not count. None for minigan's own models, whose version is
    recorded instead, and where Python has no source, as for some classes defined in notebooks.
    """
    own = [base for base in model.__mro__
           if base is not object and not base.__module__.startswith(f"{PACKAGE}.")]
    crc = 0
    for base in own:
        try:
            tree = ast.parse(textwrap.dedent(inspect.getsource(base)))
        except (OSError, TypeError, SyntaxError):
            return None
        crc = zlib.crc32(_bare(tree).encode(), crc)
    return crc if own else None


def _bare(tree: ast.Module) -> str:
    """Source text without comments and docstrings."""
    for node in ast.walk(tree):
        if isinstance(node, (ast.ClassDef, ast.FunctionDef)) and ast.get_docstring(node):
            node.body = node.body[1:] or [ast.Pass()]
    return ast.unparse(tree)
