"""Other languages: problems/zh.toml holds the Chinese of each English sentence, under a heading for each page."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from .errors import InputError
from .load import HOMES

if TYPE_CHECKING:
    from .report import Say

LANGUAGES = ("en", "zh")
REASONS = "what reasons say"
# What joins the sentences of a reason.
SIGNS: Mapping[str, str] = {"; ": "；", ". ": "。", ": ": "："}
BETWEEN = re.compile(r"([;.:] )")
# What a reason fills in: a number, a name, K = 4, or several of them.
ONE = r"(?:`[^`]+`|[^\s`,]+(?: = [^\s`,]+)?)"
GAP = rf"({ONE}(?:, {ONE})*)"
NAMES = re.compile(r"[\w.]+(, [\w.]+)*|\([\w.]+(, [\w.]+)*\)")
FILLED = re.compile(r"\d|`|\b(nan|oo)\b", re.ASCII)


def speaker(language: str) -> Say:
    """say(sentence, *parts): the sentence in this language with its {} filled in; in English where it has no other.

    Of what stands at numbers, as a derivation there and its reason, the words are translated and the numbers kept. So are those
    of a reason: "w_2: 0.5 is not 0".
    """
    if language == "en":
        from .report import english

        return english
    table = sentences(language)
    said_of = _groups(language).get(REASONS, {}).items()
    gapped = {re.compile(re.escape(words).replace(r"\{\}", GAP)): said for words, said in said_of}

    def part(words: str, follows: str) -> str:
        """A sentence of a reason, or a name and a colon, in this language; else nothing."""
        for known, said in gapped.items():
            # A page may say that a loss is not right: of a reason, what comes first is a number.
            if (found := known.fullmatch(words)) and (not known.pattern.startswith("(") or FILLED.search(found[1])):
                *gaps, last = found.groups() or ("",)
                named = follows == ": " and known.pattern.endswith(GAP)  # as a claim is, which may be called "exact"
                return said.format(*(table.get(gap, gap) for gap in gaps), last if named else table.get(last, last))
        return words if follows == ": " and NAMES.fullmatch(words) else table.get(words, "")

    def reason(flat: str) -> str:
        """The reason in this language; nothing if part of it is known in English only."""
        words = BETWEEN.split(flat.removesuffix("."))
        said = [part(*pair) for pair in zip(words[::2], [*words[1::2], ""], strict=True)]
        signs = [SIGNS[sign] for sign in words[1::2]] + ["。" * flat.endswith(".")]
        return "".join(map("".join, zip(said, signs, strict=True))) if all(said) else ""

    def say(sentence: str, *parts: object) -> str:
        flat = " ".join(sentence.split())
        if known := table.get(flat):
            return known.format(*parts) if parts else known
        routes = [table.get(route) for route in flat.split(" + ")]
        if all(routes):
            return " + ".join(map(str, routes))
        first, _, last = flat.rpartition("; ")
        if first and (known := reason(last)):
            return f"{say(first)}；{known}"
        if flat.startswith("at "):
            return table["at {}"].format(flat[3:])
        words, at, numbers = flat.partition(", at ")
        if at and words in table:
            return table[words] + table[", at {}"].format(numbers)
        words, _, numbers = flat.partition(" at ")
        if known := table.get(f"{words} at {{}}"):
            return known.format(numbers)
        return sentence.format(*parts) if parts else reason(flat) or sentence

    return say


def sentences(language: str) -> Mapping[str, str]:
    """Of each English sentence what it is in this language; the headings only keep the file in order."""
    return {english: said for group in _groups(language).values() for english, said in group.items()}


def _groups(language: str) -> Mapping[str, Mapping[str, str]]:
    path = next((path for home in HOMES if (path := home / f"{language}.toml").is_file()), None)
    if path is None:
        raise InputError(f"--lang {language}: there is no {language}.toml beside the problems.")
    return _read(path, path.stat().st_mtime_ns)


@lru_cache(maxsize=1)
def _read(path: Path, changed: int) -> Mapping[str, Mapping[str, str]]:
    """The table as the file had it when it was last changed."""
    import tomllib  # only who reads Chinese waits for it

    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{path} is no TOML: {error}.") from error
