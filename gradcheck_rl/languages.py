"""Other languages: problems/zh.toml holds the Chinese of each English sentence, under a heading for each page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from .errors import InputError
from .load import HOMES

if TYPE_CHECKING:
    from .report import Say

LANGUAGES = ("en", "zh")


def speaker(language: str) -> Say:
    """say(sentence, *parts): the sentence in this language with its {} filled in; in English where it has no other.

    Of what stands at numbers, as a derivation there and its reason, the words are translated and the numbers kept.
    """
    table = sentences(language)

    def say(sentence: str, *parts: object) -> str:
        flat = " ".join(sentence.split())
        words, at, numbers = flat.partition(", at ")
        if flat not in table and flat.startswith("at ") and table:
            return table["at {}"].format(flat[3:])
        if flat not in table and at and words in table:
            return table[words] + table[", at {}"].format(numbers)
        words, _, numbers = flat.partition(" at ")
        if flat not in table and (known_at := table.get(f"{words} at {{}}")):
            return known_at.format(numbers)
        known = table.get(flat, sentence)
        return known.format(*parts) if parts else known

    return say


def sentences(language: str) -> Mapping[str, str]:
    """Of each English sentence what it is in this language; the headings only keep the file in order."""
    if language == "en":
        return {}
    import tomllib  # only who reads Chinese waits for it

    path = next((path for home in HOMES if (path := home / f"{language}.toml").is_file()), None)
    if path is None:
        raise InputError(f"--lang {language}: there is no {language}.toml beside the problems.")
    try:
        groups = tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{path} is no TOML: {error}.") from error
    return {english: said for group in groups.values() for english, said in group.items()}
