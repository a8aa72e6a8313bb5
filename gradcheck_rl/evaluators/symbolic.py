"""The model: SymPy derivatives, compiled once, evaluated exactly where the point is rational and as certified balls elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from flint import ctx

from ..estimate import Estimate
from ..expressions import needs_integration, values
from .scene import Scene

NAME = "symbolic"
BITS = 1024  # where a ball is too wide to say whether there is a number, as that of log(1 - tanh(100)^2) at 200 bits


def applies(expressions: Sequence[Any]) -> bool:
    return not needs_integration(expressions)


def evaluate(expressions: Sequence[Any], scene: Scene) -> Estimate:
    """(B, 1, n)."""
    scene.says(NAME)
    found = values(expressions, scene.points.rows)
    if np.isnan(found.value).any():
        with ctx.workprec(BITS):
            found = values(expressions, scene.points.rows)
    return found.map(lambda x: np.asarray(x)[:, None, :])
