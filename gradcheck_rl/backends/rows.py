"""What a function that runs elsewhere is asked and answers, and one of numpy's called so: without torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from ..estimate import Floats

Arrays = Mapping[str, Any]


class Rows(NamedTuple):
    """What each row gives: floats (f), whole numbers (i), which code may index with, or truths (b). `reached`: to which arguments
    a path leads. `parts`: the shapes of several tensors that are returned at once, which lie here one after the other."""

    numbers: Floats
    kind: str = "f"
    reached: tuple[bool, ...] = ()
    parts: tuple[tuple[int, ...], ...] = ()


# "values" or "slopes"; arguments (rows, ...), or plain numbers that are the same in all rows; dtype; cotangents.
Ask = Callable[[str, Arrays, str, Floats | None], Rows]


def on_arrays(ask: Ask, arguments: Mapping[str, Any]) -> Any:
    """What a function of numpy gives."""
    rows = {k: _number(np.asarray(v)[None]) for k, v in arguments.items()}
    return ask("values", rows, "float64", None).numbers[0]


def _number(x: Any) -> Any:
    return x.astype(np.int64) if x.dtype.kind in "iub" else x.astype(float)
