"""Steps of a derivation that have a name: each is an ordinary function from a chain to the chain with one more line.

What a rule writes is checked as what a person writes: the new equals sign is a claim like any other.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import sympy as sp

from .calculus import free, relettered
from .derivation import Derivation
from .errors import ProblemError
from .expectation import Expected, Slope, closed
from .rings import each
from .symbols import Array, Symbols, bare, entries, formula, named_, plain


def then(chain: Derivation, line: Any, why: str) -> Derivation:
    """The chain with a line of one's own and the reason for it."""
    return replace(chain, steps=(*chain.steps, (line, why)))


def expand_log(chain: Derivation, why: str = "the logarithm of a product is a sum") -> Derivation:
    """The logarithm of a product, a quotient or a power, taken apart."""

    def apart(e: Any) -> Any:
        return e.replace(sp.log, lambda inside: sp.expand_log(sp.log(bare(inside)), force=True))

    return _applied(chain, apart, why, "expand_log", "no logarithm of a product")


def differentiate(chain: Derivation, why: str = "differentiate") -> Derivation:
    """Every derivative that is written, worked out; one of an expectation goes inside by the product rule."""

    def worked_out(e: Any) -> Any:
        if isinstance(e, sp.Derivative):
            return sp.diff(relettered(e.expr, free(sp.Tuple(*e.variables))), *e.variable_count)
        if isinstance(e, Slope):
            return closed(e)
        return e.func(*map(worked_out, e.args)) if e.has(sp.Derivative, Slope) else e

    return _applied(chain, worked_out, why, "differentiate", "no derivative")


def take_expectation(chain: Derivation, why: str = "take the expectation") -> Derivation:
    """Every expectation written out: over its outcomes, or by the moments of a normal draw."""
    return _applied(chain, lambda e: closed(e) if e.has(Expected) else e, why, "take_expectation", "no expectation")


def substitute(chain: Derivation, what: Mapping[Any, Any], why: str) -> Derivation:
    """One thing written for another: {variable or formula: what stands there instead}."""
    if not isinstance(what, Mapping):
        raise ProblemError(f"substitute was given {what!r}: write {{what: what stands there instead}}, in braces.")
    rule = {a: b for old, new in what.items() for a, b in _pairs(old, new)}
    return _applied(chain, lambda e: e.xreplace(rule), why, "substitute", f"nothing of {', '.join(map(str, what))}")


def collect(chain: Derivation, names: Symbols, why: str = "") -> Derivation:
    """What a name stands for, gathered under it: write collect(chain, Named("pi", ...))."""
    cells = [e for e in entries(names) if isinstance(e, named_)]
    if not cells:
        raise ProblemError(f"collect gathers under a name, and {names!r} is none: write Named('pi', formula).")

    def gathered(e: Any) -> Any:
        held = {inner: sp.Dummy(commutative=True) for inner in e.atoms(named_)}  # no definition is rewritten by itself
        e = e.xreplace(held)
        for cell in cells:
            e = e.subs(cell.definition, cell)
        return e.xreplace({dummy: inner for inner, dummy in held.items()})

    return _applied(chain, gathered, why or f"by the definition of {names.name}", "collect", f"no {names.name}")


def _pairs(old: Any, new: Any) -> list[tuple[Any, Any]]:
    left, right = entries(old), entries(new)
    if len(right) == 1:
        right = right * len(left)
    if len(left) != len(right):
        raise ProblemError(f"substitute puts {len(right)} entries in the place of {len(left)}: write as many, or one.")
    return list(zip(left, right, strict=True))


def _applied(chain: Derivation, change: Any, why: str, rule: str, missing: str) -> Derivation:
    """The last line changed entry by entry; a rule that finds nothing to do is an error, not an empty step."""
    if not isinstance(chain, Derivation):
        raise ProblemError(f"{rule} takes a chain, not {type(chain).__name__}: write {rule}(Derivation(title, start)).")
    before = each(lambda e: formula(plain(e)), np.asarray(plain(chain.lines[-1][0]), dtype=object))
    after = each(change, before)
    if np.array_equal(after, before):
        raise ProblemError(
            f"{rule} finds {missing} in the last line of {chain.title!r}: write the line itself, as then(chain, line, why)."
        )
    return then(chain, after[()] if after.ndim == 0 else after.view(Array), why)
