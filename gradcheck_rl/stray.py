"""What outcomes at random show that the nodes of a rule have missed: a reward in a small ball, a steep slope.

All rules see nothing of it, and agree. A value at random that lies outside of what the nodes have seen, by more than that is
wide, is no matter of their distance: how much such values move the mean is how far off the rules may be. What a quadratic
tells is taken off before, so that a cost or a baseline hides nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from .estimate import Floats

REACHED = 1e-8  # of the heaviest node: lighter ones lie where no outcome at random does
ROUNDING = 1e-9


class Seen(NamedTuple):
    """Coordinates and weights of outcomes, each (B, M), and what integrands are there, (B, M, n)."""

    coordinates: Sequence[Any]
    weights: Any
    values: Any


def missed(nodes: Seen, stray: Seen) -> Floats:
    """How much of each mean the nodes have missed, as the stray outcomes tell: (B, n)."""
    size = np.abs(nodes.weights)
    counts = size >= REACHED * size.max(axis=1, keepdims=True)
    known = np.isfinite(nodes.values).all(axis=2) & counts
    weights = np.where(known, size, 0.0)
    values = np.where(known[..., None], nodes.values, 0.0)
    total = weights.sum(axis=1, keepdims=True)
    with np.errstate(all="ignore"):
        centres = [(weights * x).sum(axis=1, keepdims=True) / total for x in nodes.coordinates]
        widths = [
            np.sqrt((weights * (x - c) ** 2).sum(axis=1, keepdims=True) / total)
            for x, c in zip(nodes.coordinates, centres, strict=True)
        ]

        def powers(coordinates: Sequence[Any]) -> Floats:
            z = [(x - c) / np.where(w > 0, w, 1.0) for x, c, w in zip(coordinates, centres, widths, strict=True)]
            one = np.ones(np.broadcast_shapes(*map(np.shape, z)))
            return np.stack(
                [one, *(x * one for x in z), *(z[i] * z[j] * one for i in range(len(z)) for j in range(i + 1))], axis=-1
            )

        here, there = powers(nodes.coordinates), powers(stray.coordinates)
        weighted = np.swapaxes(here * weights[..., None], 1, 2)
        fit = np.linalg.pinv(np.nan_to_num(weighted @ here), hermitian=True) @ (weighted @ values)
        rest, beyond = values - here @ fit, stray.values - there @ fit
        low = np.where(known[..., None], rest, np.inf).min(axis=1, keepdims=True)
        high = np.where(known[..., None], rest, -np.inf).max(axis=1, keepdims=True)
        room = high - low + ROUNDING * np.abs(values).max(axis=1, keepdims=True)
        excess = np.where(beyond > high + room, beyond - high, np.where(beyond < low - room, beyond - low, 0.0))
        excess = np.where(np.isfinite(excess) & known.any(axis=1)[:, None, None], excess, 0.0)
        return (stray.weights[..., None] * excess).sum(axis=1)
