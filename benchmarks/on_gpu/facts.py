"""Facts about the machine: the card, the driver, versions, and float32 products by default."""

from __future__ import annotations

import platform
from datetime import date

import numpy
from on_gpu.rows import emit
from on_gpu.timing import device

import minigan


def facts() -> None:
    """What is installed, and what each side takes for float32 products."""
    xp = device()
    emit(kind="facts", date=date.today().isoformat(), python=platform.python_version(),
         minigan=minigan.__version__, numpy=numpy.__version__, device=xp.describe(),
         default_precision=xp.precision)
    try:
        import torch
    except ImportError as error:
        emit(kind="facts", torch=str(error))
        return
    emit(kind="facts", torch=torch.__version__, cuda=torch.version.cuda,
         cudnn=torch.backends.cudnn.version(),
         conv_tf32_by_default=torch.backends.cudnn.allow_tf32,
         matmul_tf32_by_default=torch.backends.cuda.matmul.allow_tf32)
