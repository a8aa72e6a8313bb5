"""The gradient of the expected reward under a masked softmax of K logits, derived so that it can be evaluated."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import sympy as sp
from sympy.core.cache import clear_cache

from gradcheck_rl import Categorical, Draw, E, Gradient, Masks, Parameter, Variable
from gradcheck_rl.expressions import Program
from gradcheck_rl.quantities import lowered
from gradcheck_rl.rings import Float

from .timing import Options, Row, least, once

SIMPLIFY_UP_TO, ONE_UP_TO = 10, 30  # actions; of 30 one entry takes ten seconds, of 100 more than eight minutes
DIFF_UP_TO = 30


def rows(options: Options) -> Iterator[Row]:
    for actions in (2, 3) if options.smoke else (3, 10, 30, 100):
        agree(actions)
        ours = least({"ours": lambda k=actions: derive(k)}, min(options.repeats, 3))["ours"]
        floor = ("SymPy diff, one entry", least({"one": lambda k=actions: sympy_gradient(k, entries=1)}, 1)["one"])
        if options.slow or actions <= DIFF_UP_TO:
            diff = once(lambda k=actions: sympy_gradient(k))
            yield Row(f"derive: K = {actions}", ours, ("SymPy diff", diff), floor)
        if actions <= SIMPLIFY_UP_TO:
            simplified = once(lambda k=actions: sympy_gradient(k, simplify=True))
            yield Row(f"derive: K = {actions}", ours, ("SymPy diff + simplify", simplified), floor)
        elif options.slow and actions <= ONE_UP_TO:
            simplified = once(lambda k=actions: sympy_gradient(k, simplify=True, entries=1))
            yield Row(f"derive: K = {actions}", ours, ("SymPy diff + simplify, one entry", simplified), floor)
        if not options.slow and actions > DIFF_UP_TO:
            yield Row(f"derive: K = {actions}", ours, None, floor)


def derive(actions: int) -> tuple[Program, list[Any]]:
    """Ours, from fresh symbols and an empty cache."""
    clear_cache()
    theta, reward, allowed = Parameter("theta", actions), Variable("reward", actions), Variable("allowed", actions, over=Masks())
    action = Draw("action", Categorical(logits=theta, allowed=allowed))
    formulas = lowered(Gradient(E(reward[action]), theta), [theta], {})
    assert formulas is not None
    inputs = [*theta.atoms, *reward.atoms, *allowed.atoms]
    return Program(formulas, inputs), inputs


def sympy_gradient(actions: int, simplify: bool = False, entries: int | None = None) -> tuple[list[Any], list[Any]]:
    """SymPy's, from the closed form, which it is given."""
    clear_cache()
    theta, reward, allowed = (sp.symbols(f"{name}:{actions}", real=True) for name in ("theta", "reward", "allowed"))
    weights = [a * sp.exp(t) for a, t in zip(allowed, theta, strict=True)]
    value = sum(r * w for r, w in zip(reward, weights, strict=True)) / sum(weights)
    slopes = [sp.diff(value, t) for t in theta[:entries]]
    return [sp.simplify(s) for s in slopes] if simplify else slopes, [*theta, *reward, *allowed]


def agree(actions: int) -> None:
    """What is timed gives the same numbers."""
    x = np.random.default_rng(actions).normal(size=2 * actions)
    point = [*x, *([1.0] * actions)]
    run, _ = derive(actions)
    slopes, symbols = sympy_gradient(actions, entries=2)
    theirs = [float(s.xreplace({a: sp.Float(v) for a, v in zip(symbols, point, strict=True)})) for s in slopes]
    assert np.allclose(run(Float(1), point)[:2], theirs, rtol=1e-9), (actions, theirs)
