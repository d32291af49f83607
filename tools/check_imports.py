"""Walk the import graph of cornu: no import from a part below, no cycle, no import of cornu inside a function.

    python tools/check_imports.py     prints what is wrong and ends with 1, or one line and ends with 0

Parts (packages, or single modules of one) are listed from top to bottom; a module imports from its own part and from those above it. Importing `cornu.layers.core` counts as
an edge to that module, not to the package that collects it.
"""

import ast
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
ORDER = (  # parts of equal rank on one line
    "version",
    "settings",
    "dtypes",
    "shapes",
    "tree",
    "scopes",
    "traceback",
    "backends",
    "symbolic",
    "fields",
    "ranges",
    "serialization",
    "registry",
    "variable",
    "ops",
    "random",
    "initializers regularizers constraints activations",
    "dtype_policies",
    "masks",
    "layers",
    "losses",
    "metrics",
    "optimizers",
    "visualization.summary saving.atomic",
    "training",
    "saving",
    "models",
    "distillation",
    "wrappers",
    "backend",
    "config",
    "mixed_precision",
    "legacy",
    "callbacks",
    "utils",
    "preprocessing",
    "visualization",
    "datasets",
    "applications",
    "automatic",
    "api",
    "commands",
    "__main__",
)
RANK = {part: rank for rank, parts in enumerate(ORDER) for part in parts.split()}


def modules():
    """Name of each module -> its file."""
    found = {}
    for path in sorted((ROOT / "cornu").rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imports(name, path, known):
    """(module of cornu that is imported, line, whether inside a function) of each import in a file."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    inside = {id(node) for function in ast.walk(tree) if isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef)) for node in ast.walk(function)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            targets = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            package = name.split(".") if path.name == "__init__.py" else name.split(".")[:-1]
            base = ".".join([*package[: len(package) + 1 - node.level], *filter(None, [node.module])]) if node.level else node.module
            targets = [f"{base}.{alias.name}" if f"{base}.{alias.name}" in known else base for alias in node.names]
        else:
            continue
        for target in targets:
            if target in known and target != "cornu":
                yield target, node.lineno, id(node) in inside


def cycle(graph):
    """The modules of one cycle, in order, or an empty list."""
    state, path = {}, []

    def visit(name):
        state[name] = "open"
        path.append(name)
        for target in graph[name]:
            if state.get(target) == "open":
                return [*path[path.index(target) :], target]
            if target not in state and (found := visit(target)):
                return found
        state[name] = "done"
        path.pop()
        return []

    for name in graph:
        if name not in state and (found := visit(name)):
            return found
    return []


def part(name):
    """The longest entry of ORDER that `name` lies in, or the name of its first folder."""
    parts = name.split(".")[1:]
    return next((found for size in range(len(parts), 0, -1) if (found := ".".join(parts[:size])) in RANK), parts[0])


def problems():
    known = modules()
    graph = {name: set() for name in known}
    found = []
    for name, path in known.items():
        if name == "cornu":  # the table of public names stands outside of the order
            continue
        if part(name) not in RANK:
            found.append(f"{path.relative_to(ROOT)}: the part {part(name)!r} has no place in ORDER of tools/check_imports.py")
            continue
        for target, line, inside in imports(name, path, known):
            where = f"{path.relative_to(ROOT)}:{line}"
            graph[name].add(target)
            if inside:
                found.append(f"{where}: {target} is imported inside a function")
            if part(target) in RANK and part(target) != part(name) and RANK[part(target)] >= RANK[part(name)]:
                found.append(f"{where}: {name} imports {target}, which is not above it")
    circle = cycle(graph)
    found = list(dict.fromkeys(found))
    return [*found, *(["cycle: " + " -> ".join(circle)] if circle else [])], len(known)


if __name__ == "__main__":
    wrong, count = problems()
    print("\n".join(wrong) if wrong else f"imports: {count} modules, no cycle, none from below, none inside a function")
    sys.exit(bool(wrong))
