"""Laws and spaces of somebody's own: what they give is looked at before it is used, and what is wrong names them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import spaces
from .errors import GradcheckError, ProblemError, raised
from .rings import each, rational
from .spaces import Shape, Space

METHODS = ("draw", "simpler", "holds")


def is_space(space: Any) -> bool:
    """Is it a space? One that lacks a method says which."""
    if isinstance(space, type) or not hasattr(space, "draw"):
        return False
    wanted = METHODS + ("notable", "variety") * (hasattr(space, "notable") or hasattr(space, "variety"))
    if lacking := [name for name in wanted if not hasattr(space, name)]:
        raise ProblemError(f"the space {_name(space)} has no {' and no '.join(lacking)}: a space has {', '.join(wanted)}.")
    return True


def drawn(space: Space, rng: np.random.Generator, shape: Shape) -> NDArray[Any]:
    """A draw, as exact numbers of this shape that the space holds."""
    if _is_ours(space):
        return space.draw(rng, shape)
    found = _asked(f"{_name(space)}.draw", shape, lambda: space.draw(rng, shape))
    if not holds(space, found):
        kind = _name(space)
        raise ProblemError(f"`{kind}.draw` gives {spaces.show(found)}, which `{kind}.holds` denies: mend one of them.")
    return found


def simpler(space: Space, value: NDArray[Any]) -> Iterator[NDArray[Any]]:
    """What the space proposes in place of a value, where it holds that."""
    if _is_ours(space):
        yield from space.simpler(value)
        return
    title = f"{_name(space)}.simpler"
    proposed = _guarded(title, lambda: iter(space.simpler(value.copy())))
    while (one := _guarded(title, lambda: next(proposed, None))) is not None:
        found = _asked(title, value.shape, lambda one=one: one)
        if holds(space, found):
            yield found


def holds(space: Space, value: NDArray[Any]) -> bool:
    return bool(_guarded(f"{_name(space)}.holds", lambda: space.holds(value.copy())))


def _is_ours(it: Any) -> bool:
    return type(it).__module__.partition(".")[0] == __package__


def _name(it: Any) -> str:
    return type(it).__name__


def _asked(title: str, shape: Shape, make: Callable[[], Any]) -> NDArray[Any]:
    """Exact numbers of their own memory: a space may go on writing into what it gave."""
    cells = _guarded(title, lambda: np.array(make(), dtype=object))
    if cells.shape != shape:
        raise ProblemError(f"`{title}` gives shape {cells.shape}: {shape} was asked for.")
    try:
        return each(rational, cells)
    except ProblemError as error:
        raise ProblemError(f"`{title}`: {error}") from error


def _guarded(title: str, call: Callable[[], Any]) -> Any:
    try:
        return call()
    except GradcheckError:
        raise
    except Exception as error:
        raise ProblemError(raised(title, error)) from error


# ---- laws -----------------------------------------------------------------------------------------------------------------


def sound(title: str, law: Any) -> None:
    """Is a law of somebody's own one that draws can follow? SymPy knows it by its arguments alone."""
    if _is_ours(law):
        return
    kind = _name(law)
    if law.weights is None and not hasattr(type(law), "factor"):
        wanted = "derive it from Finite, with its chances as `weights`, or write the draw as a map of a Gaussian one"
        raise ProblemError(f"{title} follows {kind}, which nothing can list or integrate: {wanted}.")
    if not _is_rebuilt(law):
        raise ProblemError(f"{title} follows {kind}, which is not {kind}(*its args): keep all that it is made of in its args.")
    if law.weights is not None:
        _guarded(f"{kind}.log_prob", lambda: law.log_prob([0]))


def _is_rebuilt(law: Any) -> bool:
    try:
        again = law.func(*law.args)
    except Exception:
        return False
    return again == law and (law.weights is None or [*again.weights] == [*law.weights])
