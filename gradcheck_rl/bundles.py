"""Several draws under the names that code asks for: copies, rows and episodes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from numbers import Integral
from typing import Any, cast

import numpy as np
import sympy as sp

from .errors import ProblemError
from .laws import Categorical, Draw, Finite, Law, Random, randoms, with_parents
from .symbols import Array, Itself, Symbols, array, entries, plain


class Bundle(Itself):
    """Named arrays of formulas in draws: the arguments that code asks for when it wants more than one draw.

    `index` names those that code indexes with although they are read from a table, as observations are.
    `copies`: of a batch, what it holds and how often.
    """

    def __init__(self, names: Mapping[str, Any], index: Iterable[str] = (), copies: tuple[Iterable[str], int] = ((), 1)) -> None:
        self.copies = copies
        self.names: dict[str, Column] = {name: Column(name, values, self, name in index) for name, values in names.items()}

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(self.names)})"

    @property
    def draws(self) -> list[Draw]:
        return with_parents(randoms(*(e for named in self.names.values() for e in entries(named))))

    def __getitem__(self, name: str) -> Column:
        if name not in self.names:
            known = ", ".join(map(repr, self.names))
            raise ProblemError(f"[{name!r}] is no name here: copies, rows and episodes are read by {known}, and then by number.")
        return self.names[name]


class Column(Symbols):
    """What one name of a bundle stands for."""

    def __init__(self, name: str, definition: Any, bundle: Bundle | None = None, index: bool = False) -> None:
        super().__init__(name, plain(definition))
        self.bundle, self._index = bundle, index

    @property
    def whole(self) -> bool:
        """Only indices: draws of finite laws, or what is declared to be one."""
        return self._index or all(isinstance(e, Random) and isinstance(e.home.law, Finite) for e in entries(self))


class Episode(Bundle):
    """A trajectory of a finite MDP: `states`, `actions`, `rewards` (and `observations`), each of length `horizon`.

    A reward is paid by state and action, or by step, state and action.
    """

    def __init__(self, start: Any, step: Any, reward: Any, policy: Any, horizon: int, observe: Any = None, tag: str = "") -> None:
        start, step, reward, policy = (np.asarray(plain(x), dtype=object).view(Array) for x in (start, step, reward, policy))
        self._arguments = (start, step, reward, policy, horizon, observe)
        states: list[Draw] = []
        actions: list[Draw] = []
        seen: list[Any] = []
        for t in range(horizon):
            law = Categorical(start) if t == 0 else Categorical(step[states[-1], actions[-1]])
            states.append(Draw(f"s{tag}{t}", law, bundle=self))
            seen.append(states[-1] if observe is None else array(*observe)[states[-1]])
            actions.append(Draw(f"a{tag}{t}", Categorical(policy[seen[-1]]), bundle=self))
        if reward.ndim == 3 and len(reward) != horizon:
            raise ProblemError(f"the rewards of an episode are for {len(reward)} steps, and it has {horizon}.")
        paid = reward if reward.ndim == 3 else [reward] * horizon
        rewards = [table[s, a] for table, s, a in zip(paid, states, actions, strict=True)]
        names = {"states": array(*states), "actions": array(*actions), "rewards": array(*rewards)}
        super().__init__(names | ({} if observe is None else {"observations": array(*seen)}), index=("observations",))
        self.steps: list[Draw] = actions

    @property
    def total(self) -> Any:
        """The return: the sum of the rewards."""
        return self["rewards"].sum()

    def again(self, tag: str) -> Episode:
        """An independent episode of the same MDP."""
        return Episode(*self._arguments, tag=tag)


def episode(start: Any, step: Any, reward: Any, policy: Any, horizon: int, observe: Any = None) -> Episode:
    """A trajectory of so many steps: an Episode, from the tables of an MDP and the probabilities of a policy."""
    return Episode(start, step, reward, policy, horizon, observe)


def batch(of: Episode | Draw | Sequence[Draw], n: int, given: Draw | Sequence[Draw] = ()) -> Bundle:
    """n independent copies, stacked under the same names; of draws with everything their laws depend on, but for what is
    given, which all copies share: a group of answers to one prompt."""
    if not (isinstance(n, Integral) and n > 0):
        raise ProblemError(f"batch(..., {n!r}) has no copies: write how many, 1 or more.")
    draws: Any
    shared: Any
    draws, shared = ([x] if isinstance(x, Symbols) else x for x in (of, given))
    if not isinstance(draws, Episode) and all(isinstance(d, Draw) for d in (*draws, *shared)):
        kept = with_parents([a for d in shared for a in d.atoms])
        chain = [d for d in with_parents([a for d in draws for a in d.atoms]) if d not in kept]
        if not chain:
            raise ProblemError("batch(...) has nothing to copy: write the draws, and as given=... only what their copies share.")
        copies = [_again(chain, str(i)) for i in range(n)]
        columns = {draw.name: array(*(copy[k] for copy in copies)) for k, draw in enumerate(chain)}
        return Bundle(columns, copies=(columns, n))
    if not isinstance(of, Episode) or shared:
        raise ProblemError(f"batch({of}, ...) needs draws or an episode: write batch(action, 2), or batch((first, second), 2).")
    copies = [of.again(f"{i}_") for i in range(n)]
    columns = {name: array(*(np.asarray(c[name].array) for c in copies)) for name in of.names}
    return Bundle(columns, index=[name for name in columns if of[name].whole], copies=(("episode",), n))


def _again(chain: Sequence[Draw], tag: str) -> list[Draw]:
    """An independent copy of draws, parents first."""
    copies: list[Draw] = []
    renamed: dict[Any, Any] = {}
    for draw in chain:
        copy = Draw(draw.name + tag, draw.law)
        renamed |= zip(draw.atoms, copy.atoms, strict=True)
        copy.law = cast("Law", draw.law.xreplace(renamed))  # its own breaks may name its own coordinates
        copies.append(copy)
    return copies


class Rows(Bundle):
    """The data on a page: equally weighted rows, one value for each name and row. `Mean(q, over=Rows(...))` is their average."""

    def __init__(self, **columns: Any) -> None:
        for name, column in columns.items():
            if not hasattr(column, "__len__") or isinstance(column, str):
                raise ProblemError(
                    f"the column {name}={column!r} of Rows is {type(column).__name__}: write its values, {name}=(0, 1)."
                )
        lengths = {len(c) for c in columns.values()}
        if len(lengths) != 1:
            raise ProblemError(f"Rows needs columns of one length; it was given lengths {sorted(lengths)}.")
        n = lengths.pop()
        row = Draw("row", Categorical([sp.Rational(1, n)] * n), bundle=self)
        super().__init__({name: array(*values)[row] for name, values in columns.items()})
