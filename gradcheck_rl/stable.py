"""Forms of a formula that neither overflow nor lose digits."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import Any, cast

import sympy as sp

from .spaces import Masks, Simplex
from .symbols import bare, named_


class _Real(sp.Function):
    def _eval_is_real(self) -> bool:
        return True


class LogSum(_Real):
    """The logarithm of a sum of exponentials, by its exponents."""


class LogSumOver(_Real):
    """The same of a sum over an index: the exponent, then (index, first, last)."""


class Logit(_Real):
    """u + log w, where a weight w of 0 gives minus infinity."""


def stable(e: Any) -> Any:
    """A sum of exponentials is carried by its logarithm: softmax, sigmoid, softplus and the slope of tanh are all that."""
    if not e.args or e.is_number or isinstance(e, (sp.Indexed, named_)):
        return e.func(e.args[0], stable(e.definition)) if isinstance(e, named_) else e
    if e.is_Mul or e.is_Pow:
        return _product(e)
    if isinstance(e, sp.log) and e.args[0].has(named_):
        return stable(bare(e))
    e = e.func(*(a if isinstance(a, sp.Tuple) else stable(a) for a in e.args))
    if isinstance(e, sp.log):
        inside = e.args[0]
        if (found := _log_sum(inside)) is not None:
            return found
        return sp.expand_log(e, force=True) if inside.has(sp.exp) and inside.is_Mul else e
    return _slope_of_tanh(e) if e.is_Add else e


def _slope_of_tanh(e: Any) -> Any:
    """c - c tanh(u)^2 is 4 c / (e^u + e^-u)^2."""
    squares = [t for t in e.atoms(sp.Pow) if isinstance(t.base, sp.tanh) and t.exp == 2]
    for square in squares:
        c = e.coeff(square)
        if c != 0 and sp.expand(e + c - c * square) == 0:
            u = square.base.args[0]
            return -c * sp.exp(2 * (sp.log(2) - u - LogSum(sp.S.Zero, -2 * u)))
    return e


def _product(e: Any) -> Any:
    above: list[Any] = []
    logs: list[Any] = []
    for factor in sp.Mul.make_args(e):
        base, power = factor.as_base_exp() if factor.is_Pow else (factor, sp.S.One)
        base = stable(base)
        log = _log_sum(base) if power.is_Integer and power < 0 else None
        if log is not None:
            logs += [log] * -int(power)
        else:
            above.append(base**power)
    if not logs:
        return sp.Mul(*above)
    done: list[Any] = []
    for factor in above:
        if logs and (factor.is_Add or isinstance(factor, sp.Sum)) and _untamed(factor):
            done.append(_inside(factor, logs.pop()))
        else:
            done.append(factor)
    return _lowered(sp.Mul(*done), sp.Add(*logs)) if logs else sp.Mul(*done)


def _untamed(e: Any) -> bool:
    """Is there an exponential in it that nothing holds down yet?"""
    return any(not power.args[0].has(LogSum, LogSumOver) for power in e.atoms(sp.exp))


def _inside(factor: Any, log: Any) -> Any:
    if isinstance(factor, sp.Sum):
        return factor.func(_lowered(factor.function, log), *factor.limits)
    return sp.Add(*(_lowered(term, log) for term in factor.args))


def _lowered(e: Any, log: Any) -> Any:
    """e exp(-log), where the weights of an exponential go up into it."""
    factors = _factors(e)
    exponents = _exponents(factors)
    weights = [f for f in factors if exponents and _is_weight(f)]
    rest = [f for f in factors if not isinstance(f, sp.exp) and f not in weights]
    return sp.Mul(*rest) * sp.exp(_weighted(weights, sp.Add(*exponents)) - log)


def _factors(e: Any) -> list[Any]:
    """With those of what has a name, if it is an exponential: a chance by its name may be 0 in floats, and that times another is
    lost."""
    found: list[Any] = []
    for factor in sp.Mul.make_args(e):
        inside = list(sp.Mul.make_args(stable(bare(factor)))) if isinstance(factor, named_) else []
        found += inside if any(isinstance(f, sp.exp) for f in inside) else [factor]
    return found


def _exponents(factors: Sequence[Any]) -> list[Any]:
    return [f.args[0] for f in factors if isinstance(f, sp.exp)]


def _weighted(weights: Sequence[Any], exponent: Any) -> Any:
    return reduce(lambda u, w: cast("Any", Logit)(w, u), weights, exponent)


def _is_weight(e: Any) -> bool:
    """Is it positive, a mask, or a chance?"""
    if e.is_symbol:
        return bool(e.is_positive) or isinstance(_space(e), (Masks, Simplex))
    others = e.free_symbols  # and the last chance is what the others leave
    return len({id(a.home) for a in others if isinstance(_space(a), Simplex)}) == 1 and e == 1 - sp.Add(*others)


def _space(atom: Any) -> Any:
    return getattr(getattr(atom, "home", None), "over", None)


def _log_sum(e: Any) -> Any:
    """The logarithm of a sum of positive exponentials; None of what is no such sum."""
    if isinstance(e, named_):
        return _log_sum(e.definition)
    if isinstance(e, sp.Sum) and len(e.limits) == 1:
        exponent = _exponent(e.function)
        return None if exponent is None else LogSumOver(exponent, *e.limits[0])
    if e.is_number or not (e.is_Add and e.has(sp.exp)):
        return None
    exponents = [_exponent(term) for term in e.args]
    return None if None in exponents else LogSum(*exponents)


def _exponent(term: Any) -> Any:
    factors = _factors(term)
    powers = _exponents(factors)
    numbers = [f for f in factors if f.is_number and not isinstance(f, sp.exp)]
    weights = [f for f in factors if _is_weight(f)]
    if len(powers) + len(numbers) + len(weights) < len(factors) or not all(n.is_positive for n in numbers):
        return None
    if not powers and weights:
        return None
    return _weighted(weights, sp.Add(*powers, *(sp.log(n) for n in numbers)))
