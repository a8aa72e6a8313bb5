"""A formula's text, cut into words; and the error that points into it. Every offset is one of the text as it was typed."""

from __future__ import annotations

import re
import unicodedata
from typing import NamedTuple

from ..errors import InputError

LENGTH, TOKENS, DIGITS = 4096, 2000, 50
WINDOW = 72

_small = "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi pi rho sigma tau upsilon phi chi psi omega"
_large = "Gamma Delta Theta Lambda Xi Pi Sigma Phi Psi Omega"
_letters = "αβγδεζηθικλμνξπρστυφχψωΓΔΘΛΞΠΣΦΨΩϵϕϑℓ"
GREEK = dict(zip(_letters, f"{_small} {_large} epsilon phi theta ell".split(), strict=True))
SIGNS = dict(zip("−–×·⋅∗÷∕⁄", "--****///", strict=True)) | {"µ": "mu", "𝔼": "E", "∞": "oo", "√": "sqrt", "∣": "|"}
RAISED = dict(zip("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-", strict=True))
LOWERED = dict(zip("₀₁₂₃₄₅₆₇₈₉ᵢⱼₖₐₜ", "0123456789ijkat", strict=True))
LOOK_ALIKE = dict(zip("аеорсухіјѕАВЕКМНОРСТХοΑΒΕΖΗΙΚΜΝΟΡΤΥΧ", "aeopcyxijsABEKMHOPCTXoABEZHIKMNOPTYX", strict=True))
ADVICE = {
    "=": "write the right-hand side alone",
    "#": "a formula has no comments",
    ";": "write [a, b, ...] for several",
    "@": "write sum(a*b) for the product of two vectors",
    "!": "a factorial is not known here; write the number",
    "\\": "this is LaTeX; write the formula in one way only",
    "$": "write the formula without dollar signs",
    "∑": "write sum(R[k], k, 0, 2)",
    "%": "write a fraction, as 3/100",
    '"': "text is no part of a formula",
    "'": "text is no part of a formula",
    "<": "a comparison is no value",
    ">": "a comparison is no value",
    ":": "write an index, as in w[0]",
    "≈": "a comparison is no value; write the number",
}

TAB = r"\t(?!heta|au|imes|anh|ext)"  # what Python makes of "\theta" begins with a tab, which is none
_blank = re.compile(rf"(?: |{TAB})+")
_number = re.compile(r"[0-9]+(\.[0-9]*)?|\.[0-9]+")
_exponent = re.compile(r"([eE])([+-]?)([0-9]+)(?![A-Za-z0-9_])")
_word = re.compile(r"[A-Za-z][A-Za-z0-9]*")
_module = re.compile(r"\b(np|numpy|math|torch|sp|sympy)$")
_index = re.compile(r"[A-Za-z0-9]+")


class FormulaError(InputError):
    """A formula that cannot be read: what is wrong, where, and what to type."""

    def __init__(self, says: str, text: str, offset: int, advice: str = "") -> None:
        self.says, self.text, self.advice = says, text, advice
        self.offset = min(max(offset, 0), len(text))
        super().__init__(says)

    def __str__(self) -> str:
        start = max(0, self.offset - WINDOW // 2)
        line = "".join(map(_visible, self.text[start : start + WINDOW]))
        shown = f"{self.says}\n    {line}\n    {' ' * (self.offset - start)}^"
        stop = "" if self.advice.endswith("?") else "."
        return f"{shown}\n{self.advice[:1].upper()}{self.advice[1:]}{stop}" if self.advice else shown


def _visible(c: str) -> str:
    """One column wide, and nothing that moves the cursor or turns the line around."""
    narrow = unicodedata.east_asian_width(c) not in "WF" and unicodedata.category(c)[0] != "M"
    return c if c.isprintable() and narrow else "\N{REPLACEMENT CHARACTER}"


class Token(NamedTuple):
    """kind: `number`, `name`, `sign` or `end`."""

    kind: str
    text: str
    at: int


def sized(text: str) -> None:
    if not text.strip():
        raise FormulaError("the formula is empty: a formula such as 2*x + 1 was expected", text, 0)
    if len(text) > LENGTH:
        raise FormulaError(f"the formula is {len(text)} characters long; at most {LENGTH} were expected", text, LENGTH)


def counted(tokens: list[Token], text: str) -> list[Token]:
    if len(tokens) > TOKENS:
        says = f"the formula has {len(tokens)} words and signs; at most {TOKENS} were expected"
        raise FormulaError(says, text, tokens[TOKENS].at)
    return [*tokens, Token("end", "", len(text))]


def tokens(text: str) -> list[Token]:
    """Plain text, cut into words."""
    sized(text)
    found: list[Token] = []
    at = 0
    while at < len(text):
        if blank := _blank.match(text, at):
            at = blank.end()
            continue
        new, at = _cut(text, at, found)
        found += new
    return counted(found, text)


def _cut(text: str, at: int, before: list[Token]) -> tuple[list[Token], int]:
    """What begins here, and where it ends."""
    c = text[at]
    if before and before[-1].text == "_" and (match := _index.match(text, at)):
        return [Token("number" if match[0].isdigit() else "name", match[0], at)], match.end()
    if c.isascii() and (c.isdigit() or c == "."):
        return number(text, at)
    if match := _word.match(text, at):
        return [Token("name", match[0], at)], match.end()
    if text.startswith("**", at):
        return [Token("sign", "^", at)], at + 2
    if c in "+-*/^()[]{},|_=":
        return [Token("sign", c, at)], at + 1
    return uncommon(text, at)


def uncommon(text: str, at: int) -> tuple[list[Token], int]:
    """Greek letters, mathematical signs, raised and lowered digits; or the error that names the character."""
    c = text[at]
    if c in GREEK:
        return [Token("name", GREEK[c], at)], at + 1
    if c in SIGNS:
        return [Token("name" if SIGNS[c].isalpha() else "sign", SIGNS[c], at)], at + 1
    for table, sign in ((RAISED, "^"), (LOWERED, "_")):
        if c in table:
            end = at + 1
            while end < len(text) and text[end] in table:
                end += 1
            return _set(text, at, end, table, sign), end
    raise FormulaError(f"{_described(c)} has no place in a formula", text, at, _advice(c))


def _set(text: str, at: int, end: int, table: dict[str, str], sign: str) -> list[Token]:
    digits = "".join(table[d] for d in text[at:end])
    first = Token("sign", sign, at)
    if sign == "_":
        return [first, Token("number" if digits.isdigit() else "name", digits, at)]
    minus, whole = digits[: digits.count("-")], digits[digits.count("-") :]
    if not whole.isdigit() or minus not in ("", "-"):
        raise FormulaError("a raised minus stands without its number", text, at, "write the exponent after ^")
    return [first, *([Token("sign", "-", at)] if minus else []), *_digits(whole, text, at)]


def _digits(digits: str, text: str, at: int) -> list[Token]:
    if len(digits.replace(".", "")) > DIGITS:
        raise FormulaError(f"this number has more than {DIGITS} digits", text, at, "write it as a power or a fraction")
    return [Token("number", digits, at)]


def number(text: str, at: int) -> tuple[list[Token], int]:
    """0.25, .5, or 1E-3. A small e with a sign may mean the number e."""
    match = _number.match(text, at)
    if match is None:
        advice = "leave out the module: exp(x), not np.exp(x)" if _module.search(text[:at]) else "write 0.5, or * for a product"
        raise FormulaError("a point stands without digits", text, at, advice)
    found = _digits(match[0], text, at)
    scale = _exponent.match(text, match.end())
    if scale is None:
        return found, match.end()
    base = match[0].rstrip(".")
    if scale[1] == "e" and scale[2]:
        readings = f"write {base}*10^({scale[2].strip('+')}{scale[3]}), or {base}*e {scale[2]} {scale[3]}"
        raise FormulaError(f"`{match[0]}{scale[0]}` can be read in two ways", text, at, readings)
    if int(scale[3][:9]) > DIGITS:
        raise FormulaError(f"this number has more than {DIGITS} digits", text, at, "write it as a power or a fraction")
    return [Token("number", f"{match[0]}e{scale[2]}{scale[3]}", at)], scale.end()


def _described(c: str) -> str:
    code = f"U+{ord(c):04X} {unicodedata.name(c, 'a control character')}"
    return f"`{c}`" if c.isascii() and c.isprintable() else f"the character {code}"


def _advice(c: str) -> str:
    if c in ADVICE:
        return ADVICE[c]
    if c == "\n":
        return "write the formula on one line"
    if unicodedata.category(c) == "Cc":
        return 'write r"..." for a text with backslashes, in which Python changes none'
    if unicodedata.category(c) == "Cf":
        return "leave it out: it cannot be seen"
    plain = LOOK_ALIKE.get(c) or unicodedata.normalize("NFKC", c).replace("\N{FRACTION SLASH}", "/")
    return f"did you mean `{plain}`?" if plain != c and plain.isascii() and plain.isprintable() else ""
