"""A formula as people type it, read into a tree by recursive descent, and from there into SymPy.

What can be read in two ways is no formula: 1/2x, log x y, 2e+3. The error asks for the reading, and no attempt is lost.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from fractions import Fraction
from typing import Any

from .meaning import FUNCTIONS, Meaning
from .tokens import FormulaError, Token, tokens
from .tree import Call, Entry, Name, Node, Number, Power, Product, Sum, Total, Vector

DEPTH = 60

CLOSING = {"(": ")", "[": "]", "{": "}"}


def parse(text: str, names: Mapping[str, Any]) -> Any:
    """A SymPy formula, or an array of them, from plain text. `names` says what each name stands for: variables, draws, formulas,
    arrays of them, whole numbers, or functions of formulas."""
    return read(text, tokens(text), names)


def read(text: str, words: Sequence[Token], names: Mapping[str, Any], tex: bool = False) -> Any:
    """The meaning of a text that is cut into words."""
    meaning = Meaning(text, names)
    return meaning.of(Parser(words, meaning, tex).formula())


class Parser:
    """One text. What a bracket after a name holds, an argument or a factor, depends on what the name means."""

    def __init__(self, words: Sequence[Token], meaning: Meaning, tex: bool) -> None:
        self.words, self.meaning, self.tex = words, meaning, tex
        self.error = meaning.error
        self.functions = {word for word in FUNCTIONS if word not in meaning.names}
        self.position = self.depth = 0
        self.bar = "opens"  # what a bar means after a value: it opens or closes |x|, or separates arguments

    def formula(self) -> Node:
        tree = self._sum()
        if self.here.kind != "end":
            raise self._unexpected()
        return tree

    # ---- words ------------------------------------------------------------------------------------------------------------

    @property
    def here(self) -> Token:
        return self.words[self.position]

    def _next(self) -> Token:
        token = self.here
        self.position += 1
        return token

    def _at(self, *signs: str) -> bool:
        return self.here.kind == "sign" and self.here.text in signs

    def _take(self, sign: str) -> bool:
        found = self._at(sign)
        self.position += found
        return found

    def _unexpected(self) -> FormulaError:
        token = self.here
        if token.kind == "end":
            return self.error("the formula ends where a value was expected", token.at, "write what is missing")
        if token.text in CLOSING.values():
            return self.error(f"this `{token.text}` closes nothing", token.at, "write its opening bracket, or leave it out")
        if token.text == "=":
            return self.error("`=` has no place in a formula", token.at, "write the right-hand side alone")
        if token.text == ",":
            return self.error("a comma stands outside of brackets", token.at, "write [a, b] for a vector, and 0.5 for a half")
        if token.text == "_":
            if self.words[self.position - 1].kind == "number":
                return self.error("an underscore stands after a number", token.at, "write its digits side by side")
            return self.error("an index stands after a bracket", token.at, "write an entry in brackets, as softmax(w)[0]")
        return self.error(f"`{token.text}` stands where a value was expected", token.at, "write a number or a name before it")

    @contextmanager
    def _deeper(self) -> Generator[None]:
        self.depth += 1
        if self.depth > DEPTH:
            says = f"the formula is nested more than {DEPTH} deep"
            raise self.error(says, self.here.at, "write it with fewer brackets and signs")
        try:
            yield
        finally:
            self.depth -= 1

    @contextmanager
    def _bars(self, meaning: str) -> Generator[None]:
        before, self.bar = self.bar, meaning
        try:
            yield
        finally:
            self.bar = before

    def _close(self, opening: Token, sign: str) -> None:
        if not self._take(sign):
            if self.here.kind == "end":
                raise self.error(f"this `{opening.text}` is never closed", opening.at, f"write `{sign}` where it ends")
            says = f"`{self.here.text}` stands where `{sign}` was expected"
            raise self.error(says, self.here.at, f"close the `{opening.text}` of offset {opening.at} first")

    # ---- sums and products ------------------------------------------------------------------------------------------------

    def _sum(self) -> Node:
        with self._deeper():
            at = self.here.at
            terms = [(1, self._product())]
            while self._at("+", "-"):
                sign = -1 if self._next().text == "-" else 1
                terms.append((sign, self._product()))
            return terms[0][1] if len(terms) == 1 else Sum(at, tuple(terms))

    def _product(self) -> Node:
        at = self.here.at
        factors = [(False, self._signed(self._power))]
        divided = False
        while True:
            if self._at("*", "/"):
                divided = self._next().text == "/"
                factors.append((divided, self._signed(self._power)))
            elif self._begins_a_value():
                if divided:
                    raise self._two_readings("a/bc", "a/(bc)", "(a/b)*c")
                if self.here.kind == "number" and self.words[self.position - 1].kind == "number":
                    raise self.error("two numbers stand side by side", self.here.at, "write [a, b] for several, or a * b")
                factors.append((False, self._power()))
            else:
                return factors[0][1] if len(factors) == 1 else Product(at, tuple(factors))

    def _two_readings(self, written: str, *readings: str) -> FormulaError:
        either = ", or ".join(f"`{r}`" for r in readings)
        return self.error(f"`{written}` can be read in two ways", self.here.at, f"write {either}")

    def _begins_a_value(self) -> bool:
        if self.here.kind != "sign":
            return self.here.kind != "end"
        return self._at("(", "[") or (self._at("{") and self.tex) or (self._at("|") and self.bar == "opens")

    def _signed(self, value: Callable[[], Node]) -> Node:
        if not self._at("+", "-"):
            return value()
        with self._deeper():
            token = self._next()
            inner = self._signed(value)
            return Sum(token.at, ((-1, inner),)) if token.text == "-" else inner

    def _power(self) -> Node:
        base = self._value()
        if not self._at("^"):
            return base
        with self._deeper():
            at = self._next().at
            return Power(at, base, self._signed(self._exponent))

    def _exponent(self) -> Node:
        return self._group() if self._at("{") else self._power()

    # ---- values -----------------------------------------------------------------------------------------------------------

    def _value(self) -> Node:
        token = self.here
        if token.kind == "number":
            self._next()
            return Number(token.at, Fraction(token.text), token.text)
        if token.kind == "name":
            return self._name()
        if self._at("(", "[") or (self._at("{") and self.tex):
            return self._group()
        if self._at("|"):
            return self._absolute()
        if self._at("{"):
            raise self.error("`{` has no place here", token.at, "write ( and ) around what belongs together")
        raise self._unexpected()

    def _group(self) -> Node:
        """(x), or a vector: (a, b), [a, b]."""
        opening = self._next()
        entries = self._list(opening)
        return entries[0] if len(entries) == 1 else Vector(opening.at, entries)

    def _list(self, opening: Token, bar: str = "opens") -> tuple[Node, ...]:
        """What stands in brackets."""
        with self._bars(bar):
            entries = [self._sum()]
            while self._take(",") and not self._at(CLOSING[opening.text]):  # a last comma, as Python has it
                entries.append(self._sum())
            if bar == "opens" or not self._at("|"):
                self._close(opening, CLOSING[opening.text])
        return tuple(entries)

    def _applied(self, name: Name) -> Call:
        with self._deeper():
            opening = self._next()
            arguments, given = self._list(opening, "separates"), ()
            if self._at("|"):
                self._next()
                given = self._list(opening)
            return Call(name.at, name, arguments, given)

    def _absolute(self) -> Node:
        opening = self._next()
        with self._bars("closes"):
            inner = self._sum()
        self._close(opening, "|")
        return Call(opening.at, Name(opening.at, "abs"), (inner,))

    def _name(self) -> Node:
        token = self._next()
        if token.text == "sum" and "sum" in self.functions and self._at("_"):
            return self._total(token)
        name = Name(token.at, token.text, self._below())
        if self.meaning.is_function(name):
            value, closed = self._function(name)
            if not closed:
                return value
        elif self._at("(") and self.meaning.applies(name):
            value = self._applied(name)
        elif name.word == "pi" and self._given():
            raise self.meaning.no_policy(name)
        else:
            value = name
        while self._at("["):
            with self._deeper():
                opening = self._next()
                value = Entry(opening.at, value, self._list(opening))
        return value

    def _given(self) -> bool:
        """Does (a|s) follow?"""
        ahead = self.words[self.position :][:5]
        return [w.text if w.kind == "sign" else w.kind for w in ahead] == ["(", "name", "|", "name", ")"]

    def _below(self) -> tuple[Node, ...]:
        """What is written below a name: one word or number after each underscore, or a list in braces."""
        found: list[Node] = []
        while self._at("_"):
            sign = self._next()
            token = self.here
            if token.kind == "number" and token.text.isdigit():
                self._next()
                found.append(Number(token.at, Fraction(token.text), token.text))
            elif token.kind == "name":
                self._next()
                found.append(Name(token.at, token.text))
            elif self._at("{"):
                with self._deeper():
                    found += self._list(self._next())
            else:
                raise self.error("an underscore stands without an index", sign.at, "write w_0, or w[0]")
        return tuple(found)

    def _function(self, name: Name) -> tuple[Node, bool]:
        """f(x), f x of one factor, and f^2(x); is it one value, that a bracket after it reads an entry of?"""
        raised = None
        if self._at("^"):
            at = self._next().at
            raised = self._exponent_of(name, at)
        closed = self._at("(", "[")
        if closed:
            with self._deeper():
                arguments = self._list(self._next())
        else:
            arguments = (self._bare_argument(name),)
        call = Call(name.at, name, arguments)
        return (call, closed) if raised is None else (Power(raised.at, call, raised), False)

    def _exponent_of(self, name: Name, at: int) -> Number:
        braced = self._take("{")
        token = self._next()
        if token.kind != "number" or not token.text.isdigit() or (braced and not self._take("}")):
            says = f"`{name.word}^` was read as a power of a function, which needs a whole number"
            raise self.error(says, at, f"write {name.word}(x)^n, or the inverse function by its name")
        return Number(token.at, Fraction(token.text), token.text)

    def _bare_argument(self, name: Name) -> Node:
        if not self._begins_a_value():
            raise self.error(f"`{name.word}` is a function and stands without an argument", name.at, f"write {name.word}(x)")
        with self._deeper():
            argument = self._power()
        if self._at("/") or (self._begins_a_value() and self.here.text not in self.functions):
            raise self._two_readings(f"{name.word} a b", f"{name.word}(a)*b", f"{name.word}(a*b)")
        return argument

    def _total(self, sign: Token) -> Node:
        """sum_{k=0}^{2} of the product that follows, or sum_k, over all that k reads."""
        self._next()
        braced = self._take("{")
        index = self._next()
        if index.kind != "name":
            raise self.error("a sum needs the name of its index", index.at, "write sum_{k=0}^{2}, or sum_k")
        ends = None
        first = None
        if braced and self._take("="):
            first = self._sum()
        if braced and not self._take("}"):
            raise self.error("the index of a sum was expected to end here", self.here.at, "write sum_{k=0}^{2}, or sum_k")
        if first is not None:
            if not self._take("^"):
                raise self.error("this sum has no upper end", self.here.at, "write sum_{k=0}^{2}")
            ends = first, self._group() if self._at("{") else self._value()
        with self._deeper():
            body = self._product()
        return Total(sign.at, body, index.text, ends)
