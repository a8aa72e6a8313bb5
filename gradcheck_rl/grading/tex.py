r"""The LaTeX that students write, cut into the words of plain text: \frac{a}{b}, \sum_{k=0}^{2}, \log \pi_\theta(a|s).

Letters side by side are a product, as LaTeX sets them, unless they are a name of the problem.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from ..errors import did_you_mean
from .formula import DEPTH, read
from .meaning import FUNCTIONS
from .tokens import GREEK, TAB, FormulaError, Token, counted, number, sized, uncommon

SAME = {
    **{word: (word,) for word in {*GREEK.values(), *FUNCTIONS, "infty"} - {"E", "sum", "abs", "sqrt"}},
    **{"varepsilon": ("epsilon",), "vartheta": ("theta",), "varphi": ("phi",), "varrho": ("rho",), "lvert": ("|",)},
    **{"cdot": ("*",), "times": ("*",), "ast": ("*",), "div": ("/",), "lbrace": ("(",), "rbrace": (")",), "rvert": ("|",)},
    **{"mid": ("|",), "vert": ("|",), "lbrack": ("[",), "rbrack": ("]",), "sum": ("sum",), "{": ("(",), "}": (")",)},
}
NOTHING = {"left", "right", "big", "Big", "bigl", "bigr", "Bigl", "Bigr", "bigg", "Bigg", "displaystyle", "limits", "nolimits"}
SPACES = {",", ";", ":", "!", " ", "quad", "qquad"}
WORDY = {"operatorname", "mathrm", "mathit", "text", "textrm", "mathbf", "mathbb", "mathsf", "boldsymbol", "bm"}
FRACTIONS = {"frac", "dfrac", "tfrac", "cfrac"}
MATRICES = {"pmatrix", "bmatrix"}
ALONE = "write the formula alone, without the signs around it"
ADVICE = {
    "[": ALONE,
    "(": ALONE,
    "\\": "write one formula, and no line break",
    "top": "write the vector without it",
    **dict.fromkeys(("bar", "overline", "hat", "widehat", "tilde", "widetilde"), "write out what it stands for"),
    **dict.fromkeys(("dots", "ldots", "cdots"), "write out all terms, or a sum"),
    **dict.fromkeys(("prime", "dot", "ddot"), "write the derivative itself"),
    "over": "write \\frac{a}{b}",
    "vec": "write a plain letter",
    "nabla": "write the gradient itself",
    "partial": "write the derivative itself",
    "int": "write the value of the integral",
    "prod": "write the product out",
    "sim": "what a draw follows is said by the page",
    "mathcal": "write a plain letter",
    "|": "write the absolute value with | and |",
}

_blank = re.compile(rf"(?:[^\S\t\r\f\v]|~|{TAB})+")
_command = re.compile(r"\\([A-Za-z]+|.)", re.DOTALL)
_letters = re.compile(r"[A-Za-z]+[0-9]*")
_word = re.compile(r"\{\s*([A-Za-z][A-Za-z0-9 ]*(?:\\?_[A-Za-z0-9]+)*)\s*\}")
_greek = re.compile(r"\{\s*\\([A-Za-z]+)\s*\}")
_environment = re.compile(r"\{([A-Za-z]+\*?)\}")


def parse_tex(text: str, names: Mapping[str, Any]) -> Any:
    """A SymPy formula, or an array of them, from LaTeX. `names` as for `formula.parse`."""
    return read(text, counted(list(_Cutter(text, names).words()), text), names, tex=True)


class _Cutter:
    def __init__(self, text: str, names: Mapping[str, Any]) -> None:
        sized(text)
        self.text, self.names, self.at = text, names, 0
        self.matrices: list[tuple[str, int]] = []
        self.depth = 0

    def words(self) -> Iterator[Token]:
        """The words up to the end; of \\frac and \\sqrt with brackets around what they take."""
        while self._skipped():
            yield from self._one()
        if self.matrices:
            name, at = self.matrices[-1]
            raise self._error(f"\\begin{{{name}}} is never ended", at, f"write \\end{{{name}}}")

    def _error(self, says: str, at: int, advice: str = "") -> FormulaError:
        return FormulaError(says, self.text, at, advice)

    def _skipped(self) -> bool:
        """Past blanks and what only sets the size; is anything left?"""
        while self.at < len(self.text):
            if blank := _blank.match(self.text, self.at):
                self.at = blank.end()
            elif (command := _command.match(self.text, self.at)) and command[1] in NOTHING | SPACES:
                self.at = command.end()
                if command[1] in ("left", "right") and self.text.startswith(".", self.at):
                    raise self._error("a bracket without a sign has no meaning here", self.at, "write ( and )")
            else:
                return True
        return False

    def _one(self, single: bool = False) -> Iterator[Token]:
        """The next word. `single`: one digit or letter, as after ^ and _ without braces."""
        at, c = self.at, self.text[self.at]
        if c == "\\":
            yield from self._command()
        elif c.isascii() and (c.isdigit() or c == "."):
            if single and c.isdigit():
                self.at += 1
                yield Token("number", c, at)
                return
            found, self.at = number(self.text, at)
            yield from found
        elif c.isascii() and c.isalpha():
            yield self._name(single)
        elif c in "^_":
            self.at += 1
            yield Token("sign", c, at)
            if self._skipped() and self.text[self.at] not in "{^_)+-*/,|[]}&=":
                yield from self._one(single=True)
        elif c in "+-*/()[]{},|=":
            self.at += 1
            yield Token("sign", c, at)
        elif c == "&" and self.matrices:
            self.at += 1
            yield Token("sign", ",", at)
        else:
            found, self.at = uncommon(self.text, at)
            yield from found

    def _name(self, single: bool) -> Token:
        """The longest beginning that is a name of the problem, else one letter."""
        at = self.at
        match = _letters.match(self.text, at)
        run = match[0] if match else self.text[at]
        known = [] if single else [n for n in range(len(run), 1, -1) if run[:n] in self.names or run[:n] in ("sum", "exp", "log")]
        self.at = at + (known[0] if known else 1)
        return Token("name", self.text[at : self.at], at)

    def _command(self) -> Iterator[Token]:
        at = self.at
        match = _command.match(self.text, at)
        if match is None:
            raise self._error("the formula ends with a backslash", at, "write a command after it, as \\theta")
        name, self.at = match[1], match.end()
        if name in FRACTIONS:
            yield Token("sign", "(", at)
            yield from self._wrapped(at, name)
            yield Token("sign", "/", at)
            yield from self._wrapped(at, name)
            yield Token("sign", ")", at)
        elif name == "sqrt":
            yield from self._root(at)
        elif name in WORDY:
            yield self._written(at, name)
        elif name in ("begin", "end"):
            yield from self._matrix(at, name)
        elif name == "\\" and self.matrices:
            yield from self._row(at)
        elif name in SAME:
            for word in SAME[name]:
                yield Token("name" if word.isalpha() else "sign", word, at)
        else:
            known = [*SAME, *WORDY, *FRACTIONS, "sqrt"]
            like = ADVICE.get(name) or did_you_mean(name, known).strip().replace("`", "`\\", 1)
            raise self._error(f"`\\{name[:40]}` is not known here", at, like)

    def _wrapped(self, at: int, name: str) -> Iterator[Token]:
        """What \\frac and \\sqrt take, in brackets: braces, or one digit, letter or command."""
        yield Token("sign", "(", at)
        if not self._skipped():
            raise self._error(f"`\\{name}` needs more than is written", at, f"write \\{name}" + "{...}" * (1 + (name != "sqrt")))
        self.depth += 1
        if self.depth > DEPTH:
            raise self._error(f"the formula is nested more than {DEPTH} deep", at, "write it with fewer fractions")
        yield from self._braced() if self.text[self.at] == "{" else self._one(single=True)
        self.depth -= 1
        yield Token("sign", ")", at)

    def _braced(self) -> Iterator[Token]:
        """What stands in braces, without them."""
        opening, self.at, braces = self.at, self.at + 1, 1
        while self._skipped():
            for token in self._one():
                braces += (token.text == "{") - (token.text == "}")
                if braces:
                    yield token
            if not braces:
                return
        raise self._error("this `{` is never closed", opening, "write `}` where it ends")

    def _root(self, at: int) -> Iterator[Token]:
        order = ""
        if self._skipped() and self.text[self.at] == "[":
            end = self.text.find("]", self.at)
            order = self.text[self.at + 1 : max(end, 0)].strip()
            if not (order.isascii() and order.isdigit() and 0 < int(order[:9]) <= 64):
                raise self._error("the order of a root is a whole number", self.at, "write \\sqrt[3]{x}")
            self.at = end + 1
        yield Token("sign", "(", at)
        yield from self._wrapped(at, "sqrt")
        yield from (Token("number" if c.isdigit() else "sign", c, at) for c in ("^", "(", "1", "/", order or "2", ")", ")"))

    def _written(self, at: int, name: str) -> Token:
        r"""\mathrm{word}: one name, whose spaces and escaped underscores are underscores."""
        self._skipped()
        match = _greek.match(self.text, self.at)
        if match is not None and match[1] in GREEK.values():
            self.at = match.end()
            return Token("name", match[1], at)
        match = _word.match(self.text, self.at)
        if match is None:
            raise self._error(f"`\\{name}` was expected with one name in braces", at, f"write \\{name}{{name}}")
        self.at = match.end()
        return Token("name", "_".join(re.split(r"\\?_| +", match[1].strip())), at)

    def _matrix(self, at: int, name: str) -> Iterator[Token]:
        match = _environment.match(self.text, self.at)
        if match is None or match[1] not in MATRICES:
            raise self._error(
                f"`\\{name}` is known for pmatrix and bmatrix only", at, "write \\begin{pmatrix} a \\\\ b \\end{pmatrix}"
            )
        self.at = match.end()
        if name == "begin":
            inside = self.text[self.at : max(self.text.find(f"\\end{{{match[1]}}}", self.at), self.at)]
            self.matrices.append((match[1] if "&" in inside and "\\\\" in inside else "", at))
            yield from [Token("sign", "[", at)] * (2 if self.matrices[-1][0] else 1)
        elif self.matrices:
            table, _ = self.matrices.pop()
            yield from [Token("sign", "]", at)] * (2 if table else 1)
        else:
            raise self._error("this \\end ends nothing", at, "write \\begin{pmatrix} before it")

    def _row(self, at: int) -> Iterator[Token]:
        table = self.matrices[-1][0]
        yield from (Token("sign", s, at) for s in ("],[" if table else ","))
