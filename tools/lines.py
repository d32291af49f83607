"""Print lines per folder: code, docstrings, comments, blank, all.

python tools/lines.py
"""

import ast
import collections
import io
import pathlib
import tokenize

ROOT = pathlib.Path(__file__).resolve().parent.parent
FOLDERS = ("cornu", "tests", "benchmarks", "examples", "tools")
KINDS = ("code", "docstrings", "comments", "blank")


def count(text):
    """How many lines of each kind a Python file has."""
    lines = text.splitlines()
    kind = ["blank" if not line.strip() else "code" for line in lines]
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT and token.line.lstrip().startswith("#"):
            kind[token.start[0] - 1] = "comments"
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)) and ast.get_docstring(node, clean=False) is not None:
            first = node.body[0]
            last = first.end_lineno or first.lineno
            kind[first.lineno - 1 : last] = ["docstrings"] * (last - first.lineno + 1)
    return collections.Counter(kind)


def main():
    rows = collections.defaultdict(collections.Counter)
    for folder in FOLDERS:
        for path in (ROOT / folder).rglob("*.py"):
            inner = path.relative_to(ROOT).parts[:-1]
            rows["/".join(inner[:2])] += count(path.read_text(encoding="utf-8"))
            if inner[0] == "cornu":
                rows["cornu, all"] += count(path.read_text(encoding="utf-8"))
    print(f"{'folder':24}" + "".join(f"{name:>12}" for name in (*KINDS, "all")))
    for name, found in sorted(rows.items()):
        print(f"{name:24}" + "".join(f"{number:>12,}" for number in (*(found[kind] for kind in KINDS), found.total())))


if __name__ == "__main__":
    main()
