"""What people hand in, judged. Text is read by a parser of our own; no text ever reaches SymPy.

formula    plain text to a tree: `parse(text, names)`
tex        the LaTeX that students write to the same tree: `parse_tex(text, names)`
tokens     the words both are cut into, and `FormulaError`, which points at the place
tree       what a formula says, before it means anything
meaning    the tree to SymPy, over the names of a problem
equality   are two formulas the same: `compare_formulas(answer, expected)`
"""

from __future__ import annotations
