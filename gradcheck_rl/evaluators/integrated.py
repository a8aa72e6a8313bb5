"""Continuous draws: float64 quadrature at several orders, whose distance is the radius.

Normal draws without breaks: equal steps over the whole line, exponentially accurate for analytic integrands, in up to two
coordinates, and Gauss-Hermite beyond. With breaks, which a draw names or a formula shows: tanh-sinh between them, Gauss-Legendre
in the innermost coordinate. Plain Gauss-Hermite across a jump is wrong by a tenth and says nothing; ours start elsewhere in each
order. What is narrower than the nodes are apart is seen by outcomes at random, unless they are less than once in some ten
thousand times in it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..calculus import has
from ..errors import Unsuitable
from ..estimate import Estimate, Evidence
from ..expectation import Slope
from ..expressions import integrals, nodes, values
from ..laws import Draw, Gaussian, with_parents
from ..symbols import Symbols
from .scene import Outcomes, Scene

NAME = "integrated"
COORDINATES = 3


def applies(draws: Sequence[Draw]) -> bool:
    return 0 < _coordinates(draws) <= COORDINATES


def is_coarse(draws: Sequence[Draw]) -> bool:
    """Are the nodes so few in each coordinate that a jump, too, leaves a mean hardly known?"""
    return _coordinates(draws) == COORDINATES


def _coordinates(draws: Sequence[Draw]) -> int:
    return sum(len(d.atoms) for d in draws if isinstance(d.law, Gaussian))


def evaluate(expressions: Sequence[Any], scene: Scene) -> Estimate:
    """Written integrals, or expectations without a closed form: (B, 1, n). At given data they are certified where they can be."""
    scene.says(NAME)
    if scene.points.given:
        try:
            exact = values(expressions, scene.points.rows)
        except Unsuitable:
            pass
        else:
            if np.isfinite(exact.radius).all():
                return exact.map(lambda x: np.asarray(x)[:, None, :])
    found = integrals(expressions, scene.points.columns)
    if np.isnan(found.value).any():
        steep = any(has(e, Slope) for e in expressions)
        aside = ": where a deviation is 0, draw the noise alone, of deviation 1, and write mean + deviation * noise" * steep
        raise Unsuitable(f"an integrand of the model is no number at some outcome, neither in floats nor in balls{aside}")
    return found.map(lambda x: np.asarray(x)[:, None, :])


def outcomes(atoms: Sequence[Any], names: Mapping[str, Symbols], scene: Scene, order: int, sparing: bool = False) -> Outcomes:
    draws = with_parents(atoms)
    if not any(isinstance(d.law, Gaussian) for d in draws):
        raise Unsuitable("nothing continuous is drawn that could be integrated: write by='listed' on the claim")
    if not applies(draws):
        raise Unsuitable(
            f"more than {COORDINATES} continuous coordinates are too many to integrate: add by='sampled' to the claim"
        )
    columns, weights = nodes(draws, scene.points.columns, len(scene.points), order, sparing)
    scene.says(NAME)
    return Outcomes(columns, Estimate(weights, np.zeros(weights.shape), Evidence.FLOAT), names)
