"""What a tensor does not do, and what to write instead.

A method that is not there makes an AttributeError, but for operators Python has answers of its own:
`a == b` would compare identities in silence, `float(t)` would ask for `__float__`. So a tensor
refuses what people try, with a sentence that names the way.
"""

from __future__ import annotations

from typing import Any

NO_METHODS = (  # that people look for in a tensor
    "abs", "add", "add_", "all", "any", "argmax", "argmin", "chunk", "clamp", "clip", "clone",
    "contiguous", "copy", "copy_", "cpu", "cuda", "cumsum", "dim", "div", "dot", "double",
    "exp", "expand", "expand_dims", "fill", "fill_", "flatten", "float", "gather", "half",
    "int", "leaky_relu", "log", "log1p", "log_softmax", "logsumexp", "long", "masked_fill",
    "matmul", "max", "mean", "min", "mm", "mul", "mul_", "norm", "numel", "permute", "pow",
    "prod", "ravel", "relu", "repeat", "requires_grad_", "reshape", "retain_grad", "sigmoid",
    "softmax", "softplus", "split", "sqrt", "square", "squeeze", "std", "sub", "sum",
    "swapaxes", "take", "tanh", "tolist", "transpose", "type", "unsqueeze", "var", "view",
    "zero_")


class NoMethod:
    """In place of a method that NumPy's or PyTorch's tensors have, and ours do not.

    A `__getattr__` could say the same of any name, but with it every `t.data` takes three times as
    long in Python 3.10 and 3.11, and a small step 4 % longer.
    """

    def __init__(self, name: str) -> None:
        self.name = name

    def __get__(self, tensor: Any, owner: type | None = None) -> Any:
        raise AttributeError(f"a tensor has no attribute {self.name!r}; functions of tensors are "
                             f"in minigan.ops: ops.sum(x), ops.reshape(x, shape), ops.mean(x), ...")


def own_names(tensor: Any) -> list[str]:
    """What a tensor has, without what it only refuses: for dir(t) and completion."""
    return sorted(set(object.__dir__(tensor)) - set(NO_METHODS))


def refuse_conversion(tensor: Any, *_: Any, **__: Any) -> Any:
    """What NumPy gets when it tries to make an array of a tensor.

    Raises:
        TypeError: always, as all of these.
    """
    raise TypeError("a tensor does not turn into a NumPy array by itself; use t.numpy()")


def refuse_equality(tensor: Any, other: Any) -> bool:
    """What == and != between tensors do: they might ask for equal values, or for the same tensor.

    Without this, tensors of equal values would be unequal, in silence.

    Raises:
        TypeError: always.
    """
    raise TypeError("== and != are not defined for tensors; ask `a is b` for the same tensor, and "
                    "compare values as arrays, with a.numpy() == b.numpy()")


def refuse_order(tensor: Any, other: Any) -> bool:
    """What <, <=, > and >= between tensors do.

    Raises:
        TypeError: always.
    """
    raise TypeError("tensors are not compared with <, <=, > or >=; compare arrays, a.numpy() < "
                    "b.numpy(), or use minigan.ops.maximum, minimum or clip")


def refuse_number(tensor: Any) -> float:
    """What float(t) and int(t) do.

    Raises:
        TypeError: always.
    """
    raise TypeError("a tensor does not turn into a number by itself; use t.item()")


def refuse_abs(tensor: Any) -> Any:
    """What abs(t) does.

    Raises:
        TypeError: always.
    """
    raise TypeError("abs(t) is not defined for tensors; use minigan.ops.abs(t)")


def refuse_rows() -> Any:
    """What len(t) and a loop over t do where t has no axis.

    Raises:
        TypeError: always.
    """
    raise TypeError("a 0-d tensor has no rows, so neither a length nor a loop; use t.item()")
