"""Derivations to paste into a report: LaTeX, Markdown, Typst. An equals sign that does not hold is marked where it stands."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ..report import Chain, Form, Line, Report, plain, printable
from ..typeset import broken, latex_prose, latex_text, typst_string
from ..typeset import latex as tex
from ..typeset import text as drawn
from ..typeset import typst as typ

# A line of an A4 page in letters of a formula, and in em: beyond it a formula goes on in the next line.
WIDEST, PAGE, LEAST_REASON, REASON = 84, 44, 12, 36
TEX_HEAD = r"""\documentclass[a4paper]{article}
\usepackage[fleqn]{amsmath}
\setlength{\oddsidemargin}{-5mm}
\setlength{\textwidth}{170mm}
\allowdisplaybreaks
\begin{document}"""
TYPST_HEAD = """#set page(margin: 20mm)
#set text(10pt)
#show math.equation: set align(left)
#show math.equation: set block(breakable: true)"""


Pairs = Sequence[tuple[str, str]]  # printed sentences, each with the right one
OTHERS = "Other printed lines, beside the right ones"


def latex(report: Report, notes: Sequence[str] = (), others: Pairs = ()) -> str:
    """A document that compiles as it stands, with amsmath alone; its environments can be pasted."""
    lines = _lines(report)
    parts = [*(f"% {_one_line(note)}" for note in notes), TEX_HEAD, rf"\section*{{{latex_text(report.title)}}}"]
    for chain in report.derivations:
        parts += ["", rf"\subsection*{{{latex_prose(chain.title)}}}", _tex_chain(chain, lines)]
    for line in _printed(report):
        wrong, right = (r" \\ &\qquad ".join(map(tex, broken(tree, WIDEST))) for tree in (line.formula, line.right_formula))
        head = rf"\subsection*{{Printed: {latex_prose(line.says)}}}"
        marked = rf"  & {wrong} && \text{{\small {latex_text(line.verdict)}}}"
        parts += ["", head, r"\begin{align*}", marked, r"\end{align*}", f"Right: {latex_prose(line.correction)}"]
        parts += [r"\begin{align*}", f"  & {right}", r"\end{align*}"]
    if others:
        rows = (rf"  \item {latex_prose(wrong)} \\ $\rightarrow$ {latex_prose(right)}" for wrong, right in others)
        parts += ["", rf"\subsection*{{{OTHERS}}}", r"\begin{itemize}", *rows, r"\end{itemize}"]
    return "\n".join([*parts, "", r"\end{document}", ""])


def _tex_chain(chain: Chain, lines: Mapping[str, Line]) -> str:
    widths = [max(_width(tree) for tree in broken(form.math, WIDEST)) for form in chain.forms]
    room = PAGE - max(widths) / 2 - 2
    rows: list[str] = []
    for form, line in _steps(chain, lines):
        sign = "&" if line is None else "&=" if line.ok else rf"&\overset{{\text{{{line.verdict}}}}}{{=}}"
        first, *rest = broken(form.math, WIDEST)
        row = [f"  {sign} {tex(first)}", *(rf"  &\qquad {tex(more)}" for more in rest)]
        reason = latex_prose(_reason(form, line))
        if reason and room >= LEAST_REASON:
            row[-1] += rf" && \parbox[t]{{{min(room, 24):.0f}em}}{{\raggedright\small {reason}}}"
        elif reason:
            row.append(rf"  &\qquad\qquad\parbox{{{REASON}em}}{{\raggedright\small {reason}}}")
        rows.append(" \\\\\n".join(row))
    return "\\begin{align*}\n" + " \\\\\n".join(rows) + "\n\\end{align*}"


def markdown(report: Report, notes: Sequence[str] = (), others: Pairs = ()) -> str:
    """Markdown with formulas in ```math, as code hosts set them."""
    lines = _lines(report)
    parts = [f"<!-- {html.escape(_one_line(note)).replace('-', '&#45;')} -->" for note in notes]
    parts.append(f"# {markdown_text(report.title)}")
    for chain in report.derivations:
        parts += [f"## {markdown_text(chain.title)}", _math(chain.forms[0].math)]
        for form, line in _steps(chain, lines)[1:]:
            parts += [f"{markdown_text(_reason(form, line))}{_marked(line)}", _math(["row", ["op", "="], form.math])]
    for line in _printed(report):
        parts += [f"## Printed: {markdown_text(line.says)}", _math(line.formula), f"({line.verdict})"]
        parts += [f"Right: {markdown_text(line.correction)}", _math(line.right_formula)]
    if others:
        rows = (f"* {markdown_text(wrong)}  \n  → {markdown_text(right)}" for wrong, right in others)
        parts += [f"## {OTHERS}", "\n".join(rows)]
    return "\n\n".join(parts) + "\n"


def _math(tree: Any) -> str:
    return f"```math\n{tex(tree)}\n```"


def markdown_text(text: str) -> str:
    """Any text in Markdown, where it means nothing but itself."""
    flat = html.escape(_one_line(text), quote=False)
    return re.sub(r"([\\`*_{}\[\]()#+.!|~$^=:@-])", r"\\\1", flat)


def typst(report: Report, notes: Sequence[str] = (), others: Pairs = ()) -> str:
    """A document that Typst compiles as it stands."""
    lines = _lines(report)
    parts = [*(f"// {_one_line(note)}" for note in notes), TYPST_HEAD, f"#heading({typst_string(report.title)})"]
    for chain in report.derivations:
        rows: list[str] = []
        for form, line in _steps(chain, lines):
            sign = "&" if line is None else "&=" if line.ok else f"& attach(=, t: {typst_string(line.verdict)})"
            first, *rest = broken(form.math, WIDEST)
            reason = _reason(form, line)
            rows.append(" \\\n".join([f"  {sign} {typ(first)}", *(f"  & quad {typ(more)}" for more in rest)]))
            rows[-1] += f" \\\n  & quad quad #box(width: {REASON}em, {typst_string(reason)})" if reason else ""
        parts += ["", f"#heading(level: 2, {typst_string(chain.title)})", "$\n" + " \\\n".join(rows) + "\n$"]
    for line in _printed(report):
        parts += ["", f"#heading(level: 2, {typst_string('Printed: ' + line.says)})", f"$ {typ(line.formula)} $"]
        parts += [f"#{typst_string(f'{line.verdict}. Right: {line.correction}')}", f"$ {typ(line.right_formula)} $"]
    if others:
        parts += ["", f"#heading(level: 2, {typst_string(OTHERS)})"]
        parts += [f"- #{typst_string(wrong)} \\\n  #{typst_string('→ ' + right)}" for wrong, right in others]
    return "\n".join(parts) + "\n"


FORMATS: Mapping[str, Callable[[Report, Sequence[str], Pairs], str]] = {"latex": latex, "markdown": markdown, "typst": typst}


def _lines(report: Report) -> dict[str, Line]:
    return {line.id: line for line in report.claims}


def _printed(report: Report) -> list[Line]:
    return [line for line in report.claims if line.kind == "erratum" and line.formula and line.right_formula]


def _steps(chain: Chain, lines: Mapping[str, Line]) -> list[tuple[Form, Line | None]]:
    """Each form, with what became of the equals sign before it."""
    return [(form, lines.get(step)) for form, step in zip(chain.forms, ("", *chain.steps), strict=False)]


def _reason(form: Form, line: Line | None) -> str:
    """The reason, and what is to be said of the sign; of one that does not hold also where."""
    if line is None or line.ok:
        return f"{form.reason} [{line.remark}]" if line is not None and line.remark else form.reason
    where = ", ".join(f"{name} = {plain(value)}" for name, value in (line.witness or {}).items())
    return f"{form.reason} [{line.verdict}{' at ' + where if where else ''}: {line.reason}]"


def _marked(line: Line | None) -> str:
    return f" ({line.verdict})" if line is not None else ""


def _width(tree: Any) -> int:
    return max(map(len, drawn(tree).split("\n")))


def _one_line(text: str) -> str:
    """Of one line, and without what would end a comment or drive a terminal."""
    return " ".join(printable(text).split())
