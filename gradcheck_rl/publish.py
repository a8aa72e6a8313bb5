"""The `report` command: from reports to files, whole or not there. What is amiss is said before anything is computed."""

from __future__ import annotations

import json as plain_json
import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree as XML

from .errors import GradcheckError, InputError
from .files import REPORT, put, refused, writable
from .languages import LANGUAGES, speaker
from .load import load, shipped
from .render import html, json, junit, latex, markdown, typst
from .render.document import Setting, index
from .report import Report
from .schema import damage

if TYPE_CHECKING:
    from .problem import Problem

INDEX = "index.html"
SVG = "http://www.w3.org/2000/svg"
XLINK = "http://www.w3.org/1999/xlink"
# What a picture's ids stand in: as a name, in a link, and in a clip path.
REFERENCE = re.compile(r"(^#|url\(#)")


@dataclass(frozen=True)
class Format:
    """How a kind of file is written: `pictures` is what its figures are drawn as, in it or (`beside`) in files of their own."""

    render: Callable[[Sequence[Report], Setting], str | bytes]
    pictures: str = ""
    beside: bool = False
    languages: tuple[str, ...] = ("en",)


FORMATS: Mapping[str, Format] = {
    ".html": Format(html.render, ".svg", languages=LANGUAGES),
    ".md": Format(markdown.render, ".svg", beside=True, languages=LANGUAGES),
    ".tex": Format(latex.render, ".pdf", beside=True),
    ".pdf": Format(lambda reports, setting: typst.pdf(typst.render(reports, setting)), ".svg"),
    ".json": Format(lambda reports, _: json.render(reports)),
    ".xml": Format(lambda reports, _: junit.render(reports)),
}


@dataclass(frozen=True)
class Target:
    """Where reports go: a file whose ending says its format, or a folder with a page for each problem."""

    path: Path
    folder: bool
    language: str

    def write(self, reports: Sequence[Report], problems: Mapping[str, Problem]) -> Path:
        """The file to open, once all are written. `problems` are those at hand; saved reports look for theirs."""
        # As if read from JSON: a report and its saved copy are rendered the same to the byte.
        reports = json.read(json.render(reports))
        setting = Setting(self.language, speaker(self.language))
        if not self.folder:
            return self._file(self.path, reports, setting, problems)
        names = _file_names(report.problem for report in reports)
        with refused(self.path):
            self.path.mkdir(parents=True, exist_ok=True)
        for report, name in zip(reports, names, strict=True):
            self._file(self.path / f"{name}.html", [report], replace(setting, home=INDEX), problems)
            put(self.path / f"{name}.json", json.render([report]))
        home = html.write(index(reports, [f"{name}.html" for name in names], setting))
        return put(self.path / INDEX, home)

    def _file(self, path: Path, reports: Sequence[Report], setting: Setting, problems: Mapping[str, Problem]) -> Path:
        kind = FORMATS[path.suffix.lower()]
        drawn = [_drawn(report, problems, kind) for report in reports] if kind.pictures else []
        pictures = _beside(path, reports, drawn, kind.pictures) if kind.beside else _inside(drawn)
        return put(path, kind.render(reports, replace(setting, pictures=pictures)))


def target(output: str | None, language: str, inputs: Iterable[Path]) -> Target:
    """Where to write, if that can be: the ending, the extras and the place are looked at now."""
    if not output:
        raise InputError(f"name the file to write: -o report.html (or {', '.join(list(FORMATS)[1:])}), or a folder: -o site/.")
    path = Path(output)
    folder = output.endswith(("/", os.sep)) or os.path.isdir(path)
    kind = ".html" if folder else path.suffix.lower()
    if kind not in FORMATS:
        raise InputError(f"-o {output} names no kind of report: end it in {', '.join(FORMATS)}, or in / for a folder of pages.")
    if language not in FORMATS[kind].languages:
        able = [suffix for suffix, known in FORMATS.items() if language in known.languages]
        raise InputError(f"--lang {language} is for {', '.join(able)} and folders: leave it out for -o {output}.")
    if kind == ".pdf" and find_spec("typst") is None:
        raise InputError("-o FILE.pdf needs typst, which is not installed: type pip install 'gradcheck_rl[pdf]'.")
    speaker(language)
    if folder:
        nearest = next(place for place in (path, *path.absolute().parents) if os.path.exists(place))
        if not nearest.is_dir() or not os.access(nearest, os.W_OK):
            raise InputError(f"-o {output} cannot be written: {nearest} is not a folder that can be written to.")
    else:
        writable(output, inputs, "-o", REPORT if kind == ".json" else None)
    return Target(path, folder, language)


def read(path: str) -> list[Report]:
    """The reports that `--json -o` or a folder of pages saved."""
    try:
        text = Path(path).read_text(encoding="utf-8")
        wrong = damage(plain_json.loads(text))
        found = [] if wrong else json.read(text)
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}.") from error
    except (plain_json.JSONDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is not JSON: {error}. A report is saved by `problem1 --json -o report.json`.") from error
    except (InputError, AttributeError, ValueError, RecursionError) as error:
        raise InputError(f"{path} is JSON, but not a report: save one by `problem1 --json -o report.json`.") from error
    if wrong:
        raise InputError(f"{path} is JSON, but not a report, for {wrong}: save one by `problem1 --json -o report.json`.")
    return found


def inline(svg: bytes, prefix: str) -> str:
    """The picture as an element of a page: ids that no other picture has, no style that reaches beyond it, no size of its own."""
    XML.register_namespace("", SVG)
    XML.register_namespace("xlink", XLINK)
    root = XML.fromstring(svg)
    for owner in list(root.iter()):
        for part in list(owner):
            if part.tag in (f"{{{SVG}}}metadata", f"{{{SVG}}}style"):
                owner.remove(part)
        for name, value in owner.attrib.items():
            if name == "id":
                owner.set(name, prefix + value)
            elif ("#" in value and name != "style") or "url(#" in value:
                owner.set(name, REFERENCE.sub(rf"\g<1>{prefix}", value))
    for name in ("width", "height"):
        root.attrib.pop(name, None)
    root.set("style", "stroke-linejoin: round; stroke-linecap: butt")
    return XML.tostring(root, encoding="unicode")


def _drawn(report: Report, problems: Mapping[str, Problem], kind: Format) -> dict[str, bytes]:
    """The figures of the report by name; those that cannot be drawn are left out, and shown as tables."""
    if not report.figures or find_spec("matplotlib") is None:
        return {}
    from .figures import picture

    problem = problems.get(report.problem) or _shipped(report.problem)
    # Words stay words on a page; elsewhere their font may not be there, and the page around the picture may be dark.
    style = {"svg.fonttype": "none" if kind is FORMATS[".html"] else "path"}
    found: dict[str, bytes] = {}
    for figure in problem.figures if problem is not None else ():
        if figure.name in report.figures:
            with suppress(GradcheckError):
                found[figure.name] = picture(figure, report.figures[figure.name], kind.pictures, not kind.beside, **style)
    return found


def _beside(path: Path, reports: Sequence[Report], drawn: Sequence[Mapping[str, bytes]], kind: str) -> list[dict[str, str]]:
    """The pictures in files of their own, in a folder beside the page that names them."""
    folder = path.parent / f"{_file_names([path.stem])[0]}_files"
    names = iter(_file_names(f"{report.problem}_{name}" for report, part in zip(reports, drawn, strict=True) for name in part))
    places = [{name: folder / f"{next(names)}{kind}" for name in part} for part in drawn]
    for part, where in zip(drawn, places, strict=True):
        for name, content in part.items():
            with refused(folder):
                folder.mkdir(exist_ok=True)
            put(where[name], content)
    return [{name: f"{folder.name}/{place.name}" for name, place in part.items()} for part in places]


def _inside(drawn: Sequence[Mapping[str, bytes]]) -> list[dict[str, str]]:
    named = [enumerate(part.items()) for part in drawn]
    return [{name: inline(svg, f"figure-{n}-{m}-") for m, (name, svg) in part} for n, part in enumerate(named)]


def _shipped(name: str) -> Problem | None:
    """The shipped problem of that name. A saved report is anybody's: it never names a file to run."""
    return load(name) if any(problem.id == name for problem in shipped()) else None


def _file_names(words: Iterable[str]) -> list[str]:
    found: list[str] = []
    for word in words:
        name = re.sub(r"[^A-Za-z0-9_-]+", "_", word).strip("-") or "report"
        name = f"{name}_page" if name == "index" else name
        found.append(name if name not in found else next(n for i in range(2, 10**6) if (n := f"{name}_{i}") not in found))
    return found
