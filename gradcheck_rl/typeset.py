"""The trees of notation.py drawn: LaTeX, Typst, MathML, and lines of text. Nothing is decided here but how each writes a kind."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any, NamedTuple

Tree = list[Any]

LETTERS: Mapping[str, str] = {
    word: char
    for words, chars in (
        ("alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi omicron pi rho", "αβγδεζηθικλμνξοπρ"),
        ("sigma tau upsilon phi chi psi omega", "στυφχψω"),
        ("Gamma Delta Theta Lambda Xi Pi Sigma Upsilon Phi Psi Omega ell oo nabla", "ΓΔΘΛΞΠΣΥΦΨΩℓ∞∇"),
    )
    for word, char in zip(words.split(), chars, strict=True)
}
GREEK = tuple(word for word in LETTERS if word not in ("oo", "nabla"))
SIGNS: Mapping[str, str] = {"sum": "∑", "product": "∏", "integral": "∫"}
OPERATORS: Mapping[str, str] = {"-": "−", "!=": "≠", "<=": "≤", ">=": "≥", "cdot": "·", "times": "×", "partial": "∂", "in": "∈"}
SPACED = frozenset({"+", "-", "=", "!=", "<", "<=", ">", ">=", "in", "cdot", "times"})
RELATIONS = SPACED - {"+", "-", "cdot", "times"}
HEIGHT = frozenset({"frac", "big", "matrix", "cases", "binom"})
BOLD: Mapping[str, str] = {"E": "𝔼", "1": "𝟏"}
NO_BREAK = "\N{NO-BREAK SPACE}"
ACCENTS: Mapping[str, str] = {"hat": "^", "bar": "¯", "tilde": "~"}
COMBINING: Mapping[str, str] = {
    "hat": "\N{COMBINING CIRCUMFLEX ACCENT}",
    "bar": "\N{COMBINING MACRON}",
    "tilde": "\N{COMBINING TILDE}",
}


def tall(tree: Tree) -> bool:
    """Is it higher than a line of text?"""
    return tree[0] in HEIGHT or any(tall(part) for part in tree if isinstance(part, list) and part)


def broken(tree: Tree, width: int) -> list[Tree]:
    """A long formula in several lines, each from a plus, minus or relation on, or after a comma.

    Brackets that are too wide are opened: in each line they have the side that stands there. So are fractions, written in a line.
    """
    parts = _parts(tree)
    if _width(parts) <= width:
        return [tree]
    terms = _terms(parts, width)
    while wide := [term for term in terms if _width(term) > width and _apartable(term, width)]:
        at = max(_apartable(wide[0], width), key=lambda n: _width([wide[0][n]]))
        start = sum(map(len, terms[: terms.index(wide[0])])) + at
        parts = [*parts[:start], *_taken_apart(parts[start], parts[start - 1 : start], width), *parts[start + 1 :]]
        terms = _terms(parts, width)
    lines: list[list[Tree]] = []
    for term in terms:
        if lines and _width([*lines[-1], *term]) <= width:
            lines[-1] += term
        else:
            signed = lines and term[0][0] == "op" and lines[-1][-1] != ["op", ","]  # between two things, one a line above
            lines.append([["text", ""], *term] if signed else [*term])
    return [_closed(line) for line in lines] if len(lines) > 1 else [tree]


def _width(parts: Sequence[Tree]) -> int:
    return _box(_closed(parts)).width


def _terms(parts: Sequence[Tree], width: int) -> list[list[Tree]]:
    """What stays together: from a relation or a word on, or up to a comma; what is wider than a line from a plus or minus on."""
    wholes: list[list[tuple[Tree, bool]]] = [[]]
    for n, (part, between) in enumerate(_signed(parts)):
        if (between and part[1] in RELATIONS) or (n and (parts[n - 1] == ["op", ","] or part[0] == "text")):
            wholes.append([])
        wholes[-1].append((part, between))
    terms: list[list[Tree]] = []
    for whole in wholes:
        wide = _width([part for part, _ in whole]) > width
        terms.append([])
        for n, (part, between) in enumerate(whole):
            if wide and n and between and part[1] in ("+", "-"):
                terms.append([])
            terms[-1].append(part)
    return terms


def _apartable(term: Sequence[Tree], width: int) -> list[int]:
    """Which parts may be taken apart: fractions wider than a line, else brackets, else fractions of what may be."""
    fractions = [n for n, part in enumerate(term) if part[0] == "frac"]
    wide = [n for n in fractions if _width([term[n]]) > width and any(map(_has_terms, term[n][1:]))]
    return wide or _fences(term) or [n for n in fractions if _has_terms(term[n][1])]


def _has_terms(tree: Tree) -> bool:
    parts = _parts(tree)
    return bool(_fences(parts)) or len(_terms(parts, 0)) > 1


def _taken_apart(tree: Tree, before: Sequence[Tree], width: int) -> list[Tree]:
    if tree[0] != "frac":
        return _opened(tree)
    return [["fence", "(", ")", tree]] if any(map(_is_fn, before)) else _in_line(tree[1], tree[2], width)


def _in_line(above: Tree, below: Tree, width: int) -> list[Tree]:
    """A fraction of something wide: that stands after a fraction of the rest, or before what is divided by, to the power -1."""
    factors = _parts(above)
    if not all(part[0] in ("num", "id", "sub", "sup", "root", "accent", "fence") and not _is_fn(part) for part in factors):
        factors = [["fence", "(", ")", above]]
    if 2 * _width([below]) > width:
        inverse = ["sup", ["fence", "(", ")", below], ["row", ["op", "-"], ["num", "1"]]]
        return [*(part for part in factors if part != ["num", "1"]), inverse]
    wide = max(range(len(factors)), key=lambda n: (bool(_fences([factors[n]])), _width([factors[n]])))
    rest = [*factors[:wide], *factors[wide + 1 :]] or [["num", "1"]]
    return [["frac", ["row", *rest], below], factors[wide]]


def _parts(tree: Tree) -> list[Tree]:
    return tree[1:] if tree[0] == "row" else [tree]


def _fences(term: Sequence[Tree]) -> list[int]:
    """Which parts are brackets, or have an exponent or index and are."""
    return [n for n, part in enumerate(term) if _base(part)[0] == "fence" and _base(part)[1:3] != ["|", "|"]]


def _base(tree: Tree) -> Tree:
    return _base(tree[1]) if tree[0] in ("sub", "sup") else tree


def _opened(tree: Tree) -> list[Tree]:
    """What stands between the brackets, a mark before it and one after it: the closing bracket with its exponent."""
    if tree[0] != "fence":
        *inside, close = _opened(tree[1])
        return [*inside, [tree[0], close, tree[2]]]
    _, left, right, inner = tree
    return [["open", left], *_parts(inner), ["close", right]]


def _closed(line: Sequence[Tree]) -> Tree:
    """The brackets that were opened, drawn again: both sides of them, or the one that is in this line."""
    rows: list[list[Tree]] = [[]]
    lefts: list[str] = []
    for part in line:
        if part[0] == "open":
            lefts.append(part[1])
            rows.append([])
        elif _base(part)[0] == "close":
            inside = rows.pop()
            rows = rows or [[]]
            rows[-1].append(_with_base(part, ["fence", lefts.pop() if lefts else "", _base(part)[1], ["row", *inside]]))
        else:
            rows[-1].append(part)
    while lefts:
        inside = rows.pop()
        rows[-1].append(["fence", lefts.pop(), "", ["row", *inside]])
    return ["row", *rows[0]]


def _with_base(tree: Tree, base: Tree) -> Tree:
    return [tree[0], _with_base(tree[1], base), tree[2]] if tree[0] in ("sub", "sup") else base


def _signed(parts: Sequence[Tree]) -> list[tuple[Tree, bool]]:
    """Each part of a row, and whether it is an operator between two things: a leading minus stands close."""
    return [
        (part, n > 0 and part[0] == "op" and part[1] in SPACED and parts[n - 1][0] not in ("op", "open"))
        for n, part in enumerate(parts)
    ]


def _apart(parts: Sequence[Tree]) -> list[bool]:
    """Does a thin space stand before each part of a row? Beside a name of several letters: `gain ratio` is no `gainratio`."""

    def touches(left: Tree, right: Tree) -> bool:
        both = left[0] not in ("op", "fn") and right[0] not in ("op", "fence")
        return both and (_is_word(_edge(left, -1)) or _is_word(_edge(right, 1)))

    return [n > 0 and touches(parts[n - 1], part) for n, part in enumerate(parts)]


def _edge(tree: Tree, at: int) -> Tree:
    """The first or last part of a row in rows."""
    while tree[0] == "row" and len(tree) > 1:
        tree = tree[at]
    return tree


def _is_word(tree: Tree) -> bool:
    match tree:
        case ["id", str(word)]:
            return len(LETTERS.get(word, word)) > 1
        case ["sub" | "sup", base, _] | ["accent", _, base]:
            return _is_word(base)
        case _:
            return False


# ---- LaTeX ----------------------------------------------------------------------------------------------------------------

_TEX = {
    **{c: f"\\{c}" for c in "#$%&_{}"},
    **{c: f"${c}$" for c in "<>|"},
    **dict.fromkeys("\n\t", " "),
    **{"\\": r"$\backslash$", "~": r"\~{}", "^": r"\^{}", "`": r"\char96{}", '"': "''", "\u00a0": "~"},
    **{"–": "--", "—": "---", "‘": "`", "’": "'", "“": "``", "”": "''", "…": r"\ldots{}"},
    **{"·": r"$\cdot$", "×": r"$\times$", "±": r"$\pm$", "−": "$-$", "√": r"$\surd$", "∂": r"$\partial$", "→": r"$\to$"},
    **{"≈": r"$\approx$", "≤": r"$\leq$", "≥": r"$\geq$", "≠": r"$\neq$"},
}
_TEX_OPERATORS = {
    "-": "-",
    "!=": r"\neq ",
    "<=": r"\leq ",
    ">=": r"\geq ",
    "cdot": r"\cdot ",
    "times": r"\times ",
    "in": r"\in ",
    "partial": r"\partial ",
    "d": r"\,\mathrm{d}",
}
_TEX_FUNCTIONS = {w: f"\\{w}" for w in ("log", "exp", "sin", "cos", "tan", "tanh", "sinh", "cosh", "arctan", "min", "max")} | {
    "E": r"\mathbf{E}",
    "1": r"\mathbf{1}",
    "Gamma": r"\Gamma",
}
_TEX_SIGNS = {"sum": r"\sum", "product": r"\prod", "integral": r"\int"}
_TEX_LETTERS = {word: f"\\{word}" for word in LETTERS} | {"oo": r"\infty", "omicron": "o", "epsilon": r"\varepsilon"}
_TEX_ACCENTS = {"hat": r"\hat", "bar": r"\bar", "tilde": r"\tilde"}


def latex(tree: Tree) -> str:
    """The formula in LaTeX with amsmath, to stand between dollars."""
    match tree:
        case ["num", str(digits)]:
            return digits
        case ["id", str(word)] if word in _TEX_LETTERS:
            return _TEX_LETTERS[word]
        case ["id", str(word)]:
            return word if re.fullmatch("[A-Za-z]", word) else _tex_word(r"\mathrm", word)
        case ["text", str(words)]:
            return rf"\text{{{latex_text(words)}}}"
        case ["fn", str(word)]:
            return _TEX_FUNCTIONS.get(word) or _tex_word(r"\operatorname", word)
        case ["op", str(sign)]:
            return _TEX_OPERATORS.get(sign, sign)
        case ["row", *parts]:
            return _tex_row([(r"\," if apart else "") + latex(part) for part, apart in zip(parts, _apart(parts), strict=True)])
        case ["sub", base, index]:
            written = latex(base)
            return f"{{{written}}}_{{{latex(index)}}}" if base[0] in ("sub", "sup", "row") else f"{written}_{{{latex(index)}}}"
        case ["sup", base, exponent]:
            return f"{latex(base)}^{{{latex(exponent)}}}"
        case ["frac", above, below]:
            return rf"\frac{{{latex(above)}}}{{{latex(below)}}}"
        case ["root", of]:
            return rf"\sqrt{{{latex(of)}}}"
        case ["binom", above, below]:
            return rf"\binom{{{latex(above)}}}{{{latex(below)}}}"
        case ["accent", str(mark), base]:
            return rf"{_TEX_ACCENTS[mark]}{{{latex(base)}}}"
        case ["fence", str(left), str(right), inside]:
            body = latex(inside)
            wide = tall(inside) or (left == "|" and "|" in body)  # |x|y|| has no one reading
            return rf"\left{left or '.'}{body}\right{right or '.'}" if wide else f"{left}{body}{right}"
        case ["big", str(sign), below, above]:
            return f"{_TEX_SIGNS[sign]}_{{{latex(below)}}}^{{{latex(above)}}}" if len(above) > 1 else _TEX_SIGNS[sign]
        case ["cases", *rows]:
            body = r" \\ ".join(f"{latex(value)} & {_when(says)}{latex(says)}" for value, says in rows)
            return rf"\begin{{cases}} {body} \end{{cases}}"
        case ["matrix", *rows]:
            apart = r" \\[1ex] " if any(tall(cell) for row in rows for cell in row) else r" \\ "
            body = apart.join(" & ".join(latex(cell) for cell in row) for row in rows)
            return rf"\begin{{pmatrix}} {body} \end{{pmatrix}}"
        case _:
            raise ValueError(f"{tree[0]!r} is no kind of formula")


def _tex_word(command: str, word: str) -> str:
    """A name of several letters; what is no letter of mathematics, as é and <, is set as text is."""
    written = latex_text(word)
    plain = re.fullmatch(r"(\\_|[\w'*+. -])*", written, re.ASCII)
    return rf"{command}{{{written}}}" if plain else rf"{command}{{\text{{{written}}}}}"


def _tex_row(parts: Sequence[str]) -> str:
    """Side by side; a space only where a command would run into a letter."""
    out = ""
    for part in parts:
        out += " " if out and part[:1].isalpha() and _ends_in_command(out) else ""
        out += part
    return out


def _ends_in_command(text: str) -> bool:
    head, slash, tail = text.rpartition("\\")
    return bool(slash) and tail.isalpha() and not head.endswith("\\")


def _when(says: Tree) -> str:
    return "" if says[0] == "text" else r"\text{if }"


def latex_text(text: str) -> str:
    """Any text as LaTeX sets it in words. What pdflatex has no sign for is named by its code."""
    return "".join(_tex_char(c) for c in text)


def latex_prose(text: str) -> str:
    """The same of a reason that people write: mu, x_j and sigma^2 in it are set as the formulas set them."""
    return "".join(_tex_symbol(part) if n % 2 else latex_text(part) for n, part in enumerate(_SYMBOL.split(text)))


_POWER = r"\^(?:[0-9]+|[A-Za-z]|\([A-Za-z0-9][A-Za-z0-9 +-]*\))"
_SYMBOL = re.compile(
    rf"(?<![\w\\])((?:{'|'.join(GREEK)})(?:_[A-Za-z0-9]+)?(?:{_POWER})?|[A-Za-z](?:_[A-Za-z0-9]+(?:{_POWER})?|{_POWER}))(?![\w\\^])"
)


def _tex_symbol(word: str) -> str:
    head, _, power = word.partition("^")
    base, _, index = head.partition("_")
    tree = ["sub", ["id", base], _word(index)] if index else ["id", base]
    raised: Tree = ["row", *(["op", x] if x in "+-" else _word(x) for x in re.findall(r"\w+|[+-]", power))]
    return f"${latex(['sup', tree, raised] if power else tree)}$"


def _word(text: str) -> Tree:
    return ["num" if text.isdigit() else "id", text]


def _tex_char(c: str) -> str:
    if c in _TEX:
        return _TEX[c]
    if " " <= c <= "~":
        return c
    word = next((word for word, char in LETTERS.items() if char == c), None)
    if word is not None:
        return f"${_TEX_LETTERS[word]}$"
    base, *marks = unicodedata.normalize("NFD", c)
    if len(marks) == 1 and base.isascii() and base.isalpha() and (accent := _TEX_MARKS.get(marks[0])):
        return f"{accent}{{{base}}}"
    return rf"\texttt{{U+{ord(c):04X}}}"


_TEX_MARKS = {chr(0x300): r"\`", chr(0x301): r"\'", chr(0x302): r"\^", chr(0x303): r"\~", chr(0x308): r"\"", chr(0x30C): r"\v"}


# ---- Typst ----------------------------------------------------------------------------------------------------------------


def typst(tree: Tree) -> str:
    """The formula in Typst's mathematics, to stand between dollars."""
    match tree:
        case ["num", str(digits)]:
            return digits
        case ["id", str(word)]:
            return LETTERS.get(word) or (word if re.fullmatch("[A-Za-z]", word) else typst_string(word))
        case ["text", str(words)]:
            return typst_string(words)
        case ["fn", str(word)]:
            return BOLD.get(word) or f"op({typst_string(LETTERS.get(word, word))})"
        case ["op", "d"]:
            return 'thin upright("d")'
        case ["op", str(sign)]:
            return f"\\{sign}" if sign in ",/" else OPERATORS.get(sign, sign)
        case ["row", *parts]:
            written = (("thin " if apart else "") + typst(part) for part, apart in zip(parts, _apart(parts), strict=True))
            return " ".join(written) or '""'
        case ["sub", base, index]:
            return f"{_typst_base(base)}_({typst(index)})"
        case ["sup", base, exponent]:
            return f"{typst(base) if base[0] == 'sub' else _typst_base(base)}^({typst(exponent)})"
        case ["frac", above, below]:
            return f"frac({typst(above)}, {typst(below)})"
        case ["root", of]:
            return f"sqrt({typst(of)})"
        case ["binom", above, below]:
            return f"binom({typst(above)}, {typst(below)})"
        case ["accent", str(mark), base]:
            return f"{'macron' if mark == 'bar' else mark}({typst(base)})"
        case ["fence", str(left), str(right), inside]:
            opens, closes = (f"\\{side} " if side and not (left and right) else side for side in (left, right))
            return f"lr({opens} {typst(inside)} {closes})"
        case ["big", str(sign), below, above]:
            return f"{SIGNS[sign]}_({typst(below)})^({typst(above)})" if len(above) > 1 else SIGNS[sign]
        case ["cases", *rows]:
            lines = (f"{typst(value)} & {'' if says[0] == 'text' else typst_string('if ')} {typst(says)}" for value, says in rows)
            return f"cases({', '.join(lines)})"
        case ["matrix", *rows]:
            return f"mat({'; '.join(', '.join(typst(cell) for cell in row) for row in rows)})"
        case _:
            raise ValueError(f"{tree[0]!r} is no kind of formula")


def _typst_base(base: Tree) -> str:
    return typst(base) if base[0] in ("id", "num", "fn", "op", "fence", "accent") else f"({typst(base)})"


def typst_string(text: str) -> str:
    """Any text as a string of Typst."""
    inner = "".join(c if c.isprintable() and c not in '"\\' else f"\\u{{{ord(c):x}}}" for c in text)
    return f'"{inner}"'


# ---- MathML ---------------------------------------------------------------------------------------------------------------


def mathml(tree: Tree) -> str:
    """The formula as a <math> element of MathML Core."""
    return f'<math xmlns="http://www.w3.org/1998/Math/MathML" display="block">{_ml(tree)}</math>'


def _ml(tree: Tree) -> str:
    match tree:
        case ["num", str(digits)]:
            return f"<mn>{escape(digits)}</mn>"
        case ["id", str(word)]:
            return f"<mi>{xml_text(LETTERS.get(word, word))}</mi>"
        case ["text", str(words)]:
            return f"<mtext>{xml_text(words).replace(' ', NO_BREAK)}</mtext>"
        case ["fn", str(word)]:
            return f"<mi>{BOLD.get(word) or xml_text(LETTERS.get(word, word))}</mi><mo>\N{FUNCTION APPLICATION}</mo>"
        case ["op", "d"]:
            return '<mspace width="0.17em"/><mi mathvariant="normal">d</mi>'
        case ["op", "partial"]:
            return "<mi>∂</mi>"
        case ["op", ","]:
            return '<mo separator="true">,</mo>'
        case ["op", str(sign)]:
            return f"<mo>{escape(OPERATORS.get(sign, sign))}</mo>"
        case ["row", *parts]:
            signed = zip(_signed(parts), _apart(parts), [["row"], *parts], strict=False)
            return f"<mrow>{''.join(_ml_part(part, between, apart, before) for (part, between), apart, before in signed)}</mrow>"
        case ["sup", ["sub", base, index], exponent]:
            return f"<msubsup>{_ml1(base)}{_ml1(index)}{_ml1(exponent)}</msubsup>"
        case ["sub", base, index]:
            return f"<msub>{_ml1(base)}{_ml1(index)}</msub>"
        case ["sup", base, exponent]:
            return f"<msup>{_ml1(base)}{_ml1(exponent)}</msup>"
        case ["frac", above, below]:
            return f"<mfrac>{_ml1(above)}{_ml1(below)}</mfrac>"
        case ["root", of]:
            return f"<msqrt>{_ml(of)}</msqrt>"
        case ["binom", above, below]:
            return f'<mrow><mo>(</mo><mfrac linethickness="0">{_ml1(above)}{_ml1(below)}</mfrac><mo>)</mo></mrow>'
        case ["accent", str(mark), base]:
            return f'<mover accent="true">{_ml1(base)}<mo stretchy="false">{ACCENTS[mark]}</mo></mover>'
        case ["fence", str(left), str(right), inside]:
            stretchy = "" if tall(inside) else ' stretchy="false"'
            forms = (("prefix", left), ("postfix", right))
            opens, closes = (f'<mo fence="true" form="{form}"{stretchy}>{side}</mo>' if side else "" for form, side in forms)
            return f"<mrow>{opens}{_ml(inside)}{closes}</mrow>"
        case ["big", str(sign), _, ["row"]]:
            return f"<mo>{SIGNS[sign]}</mo>"
        case ["big", "integral", below, above]:
            return f"<msubsup><mo>∫</mo>{_ml1(below)}{_ml1(above)}</msubsup>"
        case ["big", str(sign), below, above]:
            return f'<munderover><mo movablelimits="false">{SIGNS[sign]}</mo>{_ml1(below)}{_ml1(above)}</munderover>'
        case ["cases", *rows]:
            body = "".join(f"<mtr><mtd>{_ml(value)}</mtd><mtd>{_ml_when(says)}</mtd></mtr>" for value, says in rows)
            return f'<mrow><mo fence="true" form="prefix">{{</mo><mtable columnalign="left">{body}</mtable></mrow>'
        case ["matrix", *rows]:
            body = "".join(f"<mtr>{''.join(f'<mtd>{_ml(cell)}</mtd>' for cell in row)}</mtr>" for row in rows)
            opens, closes = '<mo fence="true" form="prefix">(</mo>', '<mo fence="true" form="postfix">)</mo>'
            return f"<mrow>{opens}<mtable>{body}</mtable>{closes}</mrow>"
        case _:
            raise ValueError(f"{tree[0]!r} is no kind of formula")


def _ml1(tree: Tree) -> str:
    """One element: what takes a fixed number of children may not be given two for one."""
    return f"<mrow>{_ml(tree)}</mrow>" if tree[0] == "fn" or tree == ["op", "d"] else _ml(tree)


def _ml_part(part: Tree, between: bool, apart: bool, before: Tree) -> str:
    beside = (_is_fn(before) and part[0] not in ("fence", "op")) or (_is_fn(part) and before[0] not in ("op", "row"))
    if apart or beside:  # unlike LaTeX, MathML sets 2 log x as 2logx
        return f'<mspace width="0.17em"/>{_ml(part)}'
    if part[0] == "op" and part[1] in SPACED and not between:
        return f'<mo form="prefix">{escape(OPERATORS.get(part[1], part[1]))}</mo>'
    return _ml(part)


def _ml_when(says: Tree) -> str:
    return _ml(says) if says[0] == "text" else f"<mtext>if\N{NO-BREAK SPACE}</mtext>{_ml(says)}"


def xml_text(text: str) -> str:
    """Any text in XML; what does not print, and a line break, which XML takes for a blank, is named by its code."""
    return escape(_shown(text, "\N{NO-BREAK SPACE}"))


def _shown(text: str, kept: str = "") -> str:
    """What does not print, such as what drives a terminal, by its code."""
    return "".join(c if c.isprintable() or c in kept else f"\\u{ord(c):04x}" for c in text)


# ---- lines of text --------------------------------------------------------------------------------------------------------


class Box(NamedTuple):
    """Lines of equal width, and which of them the reader's eye runs along."""

    lines: list[str]
    base: int

    @property
    def width(self) -> int:
        return len(self.lines[0])

    @property
    def below(self) -> int:
        return len(self.lines) - 1 - self.base


_SUPERSCRIPTS = dict(zip("0123456789+-ni", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻ⁿⁱ", strict=True))
_SUBSCRIPTS = dict(zip("0123456789+-aehijklmnoprstuvxβγρφχ,", "₀₁₂₃₄₅₆₇₈₉₊₋ₐₑₕᵢⱼₖₗₘₙₒₚᵣₛₜᵤᵥₓᵦᵧᵨᵩᵪ,", strict=True))
_BRACKETS = {"(": "⎛⎜⎝", ")": "⎞⎟⎠", "[": "⎡⎢⎣", "]": "⎤⎥⎦", "|": "│││"}


def text(tree: Tree) -> str:
    """The formula over as many lines of text as it needs."""
    return "\n".join(line.rstrip() for line in _box(tree).lines)


def _box(tree: Tree) -> Box:
    match tree:
        case ["num" | "text", str(word)]:
            return _line(_shown(word.strip()))
        case ["id" | "fn", str(word)]:
            return _line(LETTERS.get(word) or _shown(word))
        case ["op", str(sign)]:
            return _line({",": ", ", "d": " d"}.get(sign) or OPERATORS.get(sign, sign).replace("−", "-"))
        case ["row", *parts]:
            return _beside(_spaced(parts))
        case ["sub", base, index]:
            return _script(_box(base), _box(index), _SUBSCRIPTS, up=False)
        case ["sup", base, exponent]:
            return _script(_box(base), _box(exponent), _SUPERSCRIPTS, up=True)
        case ["frac", above, below]:
            return _stack(_box(above), None, _box(below))
        case ["root", of]:
            box = _box(of)
            return _beside([_line("√"), box if box.width == 1 else _bracketed("(", ")", box)])
        case ["binom", above, below]:
            return _bracketed("(", ")", _stack(_box(above), _line(" "), _box(below)))
        case ["accent", str(mark), base]:
            box = _box(base)
            single = box.width == len(box.lines) == 1
            return _line(unicodedata.normalize("NFC", box.lines[0] + COMBINING[mark])) if single else box
        case ["fence", str(left), str(right), inside]:
            return _bracketed(left, right, _box(inside))
        case ["big", str(sign), below, above]:
            return _stack(_box(above), _line(SIGNS[sign]), _box(below)) if len(above) > 1 else _line(SIGNS[sign])
        case ["cases", *rows]:
            grid = _grid([[value, ["row", *([["text", "if "]] if says[0] != "text" else []), says]] for value, says in rows])
            inner = ("⎨" if n == grid.base else "⎪" for n in range(1, len(grid.lines) - 1))
            return _beside([Box(["⎧", *inner, "⎩"] if len(grid.lines) > 1 else ["{"], grid.base), grid])
        case ["matrix", *rows]:
            return _bracketed("[", "]", _grid(rows, centred=True))
        case _:
            raise ValueError(f"{tree[0]!r} is no kind of formula")


def _line(word: str) -> Box:
    return Box([word], 0)


def _spaced(parts: Sequence[Tree]) -> list[Box]:
    """A space around what stands between two things, after a sign with limits, and between words and letters side by side."""
    boxes: list[Box] = []
    for n, (part, between) in enumerate(_signed(parts)):
        box = _box(part)
        before = parts[n - 1] if n else ["op", ""]
        close = (
            before[0] in ("op", "row")
            or part[0] == "op"
            or (before[0] in ("fn", "sub", "sup") and part[0] == "fence" and _is_fn(before))
        )
        boxes += [box] if close else [_line(" "), box]
        if between:
            boxes[-1:] = [_line(" "), box, _line(" ")]
    return boxes


def _is_fn(tree: Tree) -> bool:
    return tree[0] == "fn" or (tree[0] in ("sub", "sup") and _is_fn(tree[1]))


def _beside(boxes: Sequence[Box]) -> Box:
    if not boxes:
        return _line("")
    base = max(b.base for b in boxes)
    below = max(b.below for b in boxes)
    blocks = [[" " * b.width] * (base - b.base) + b.lines + [" " * b.width] * (below - b.below) for b in boxes]
    return Box(["".join(cells) for cells in zip(*blocks, strict=True)], base)


def _stack(above: Box, sign: Box | None, below: Box) -> Box:
    """One over the other, centred; the eye runs along the sign, or a line across where there is none."""
    width = max(b.width for b in (above, sign, below) if b)
    across = sign or _line("─" * width)
    return Box([line.center(width) for b in (above, across, below) for line in b.lines], len(above.lines) + across.base)


def _script(base: Box, script: Box, signs: Mapping[str, str], up: bool) -> Box:
    if len(script.lines) == 1 and all(c in signs for c in script.lines[0].replace(" ", "")):
        small, at = "".join(signs[c] for c in script.lines[0].replace(" ", "")), 0 if up else len(base.lines) - 1
        return Box([line + (small if n == at else " " * len(small)) for n, line in enumerate(base.lines)], base.base)
    beside, own = [" " * base.width + line for line in script.lines], [line + " " * script.width for line in base.lines]
    return Box([*beside, *own], base.base + len(beside)) if up else Box([*own, *beside], base.base)


def _bracketed(left: str, right: str, inside: Box) -> Box:
    height = len(inside.lines)

    def side(sign: str) -> Box:
        if height == 1:
            return _line(sign)
        top, middle, bottom = _BRACKETS[sign]
        return Box([top, *[middle] * (height - 2), bottom], inside.base)

    return _beside([*([side(left)] if left else []), inside, *([side(right)] if right else [])])


def _grid(rows: Sequence[Sequence[Tree]], centred: bool = False) -> Box:
    boxes = [[_box(cell) for cell in row] for row in rows]
    widths = [max(row[n].width for row in boxes) for n in range(len(boxes[0]))]
    gap = any(len(b.lines) > 1 for row in boxes for b in row)
    lines: list[str] = []
    for n, row in enumerate(boxes):
        lefts = [(w - b.width) // 2 if centred else 0 for b, w in zip(row, widths, strict=True)]
        cells = zip(row, lefts, widths, strict=True)
        padded = [Box([(" " * left + line).ljust(w) for line in b.lines], b.base) for b, left, w in cells]
        spaced = [part for b in padded for part in (_line("  "), b)][1:]
        block = _beside(spaced)
        lines += ([" " * block.width] if gap and n else []) + block.lines
    return Box(lines, len(lines) // 2)
