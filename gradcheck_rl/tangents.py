"""The derivatives of a program by its inputs, as more of its instructions: forward, one rule of calculus for each word.

SymPy would build each derivative as a formula first, which takes as long as all that is done with it. It is asked where a word
has no rule here: a derivative of an expectation, of an integral, of a jump.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import sympy as sp

Slot = int | None  # of an instruction; None is a slope that is zero whatever is given


class Tangents:
    """What each instruction of a program changes by, as one input changes by one."""

    def __init__(self, program: Any, x: int, outputs: Sequence[int]) -> None:
        self.program = program
        self.one = self._number(1)
        self.known: dict[int, Slot] = {x: self.one}
        for at in program.above(outputs):
            word, args, extra = program.instruction(at)
            if any(a in self.known for a in args):
                slope = self._rule(word, at, args, extra)
                if slope is not None:
                    self.known[at] = slope

    def of(self, at: int) -> int:
        slope = self.known.get(at)
        return self._number(0) if slope is None else slope

    def _rule(self, word: str, at: int, args: Sequence[int], extra: Any) -> Slot:
        first = self.known.get(args[0])
        if word in ("add", "multiply", "minimum", "maximum"):
            a, b = args
            second = self.known.get(b)
            if word == "multiply":
                return self._plus(self._times(first, b), self._times(second, a))
            if word == "minimum":
                first, second = self._times(first, self._higher(b, a)), self._times(second, self._higher(a, b))
            if word == "maximum":
                first, second = self._times(first, self._higher(a, b)), self._times(second, self._higher(b, a))
            return self._plus(first, second)
        if word == "pick":
            return self.program.emit("pick", [*map(self.of, args[: extra[1]]), *args[extra[1] :]], extra)
        return None if word == "held" else self._times(first, RULES[word](self, at, args[0], extra))

    def _plus(self, a: Slot, b: Slot) -> Slot:
        return a if b is None else b if a is None else self.program.emit("add", [a, b])

    def _times(self, a: Slot, b: int) -> Slot:
        return None if a is None else b if a == self.one else self.program.emit("multiply", [a, b])

    def _higher(self, a: int, b: int) -> int:
        """1 where a is the higher, 0 where b is."""
        return self.program.emit("side", [self.program.emit("add", [a, self.scaled(-1, b)])])

    # ---- what the rules are written with ----------------------------------------------------------------------------------

    def _number(self, x: Any) -> int:
        return self.program.visit(sp.sympify(x, strict=True))

    def apply(self, word: str, at: int) -> int:
        return self.program.emit(word, [at])

    def scaled(self, factor: Any, at: int) -> int:
        return at if factor == 1 else self.program.emit("multiply", [self._number(factor), at])

    def power(self, at: int, n: int) -> int:
        return self.one if n == 0 else at if n == 1 else self.program.emit("power", [at], n)

    def less(self, number: int, at: int) -> int:
        """The number less the value."""
        return self.program.emit("add", [self._number(number), self.scaled(-1, at)])

    def bell(self, at: int) -> int:
        """The slope of erf."""
        return self.scaled(2 / sp.sqrt(sp.pi), self.apply("exp", self.scaled(-1, self.power(at, 2))))


# The slope of y = f(x) by x.
RULES: dict[str, Callable[[Tangents, int, int, Any], int]] = {
    "power": lambda t, y, x, n: t.scaled(n, t.power(x, n - 1)),
    "root": lambda t, y, x, _: t.scaled(sp.Rational(1, 2), t.power(y, -1)),
    "exp": lambda t, y, x, _: y,
    "log": lambda t, y, x, _: t.power(x, -1),
    "tanh": lambda t, y, x, _: t.less(1, t.power(y, 2)),
    "sin": lambda t, y, x, _: t.apply("cos", x),
    "cos": lambda t, y, x, _: t.scaled(-1, t.apply("sin", x)),
    "tan": lambda t, y, x, _: t.program.emit("add", [t.one, t.power(y, 2)]),
    "atan": lambda t, y, x, _: t.power(t.program.emit("add", [t.one, t.power(x, 2)]), -1),
    "erf": lambda t, y, x, _: t.bell(x),
    "erfc": lambda t, y, x, _: t.scaled(-1, t.bell(x)),
    "log_tail": lambda t, y, x, _: t.program.emit("multiply", [t.scaled(-1, t.bell(x)), t.power(t.apply("erfc", x), -1)]),
    "erfinv": lambda t, y, x, _: t.scaled(sp.sqrt(sp.pi) / 2, t.apply("exp", t.power(y, 2))),
    "absolute": lambda t, y, x, _: t.apply("sign", x),
}
