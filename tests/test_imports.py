"""The import check: clean on this tree, and it sees what it is for."""

import pytest

from tools import check_imports


def test_this_tree():
    problems, count = check_imports.problems()
    assert problems == [] and count > 50


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"dtypes.py": "from cornu import layers", "layers/__init__.py": ""}, "cornu.dtypes imports cornu.layers, which is not above it"),
        ({"layers/__init__.py": "", "layers/a.py": "def f():\n    from cornu import dtypes", "dtypes.py": ""}, "imported inside a function"),
        ({"ops/__init__.py": "", "ops/a.py": "from . import b", "ops/b.py": "from cornu.ops.a import x"}, "cycle: cornu.ops.a -> cornu.ops.b -> cornu.ops.a"),
        ({"strange.py": ""}, "'strange' has no place"),
    ],
)
def test_sees(tmp_path, monkeypatch, files, words):
    for name, text in {"__init__.py": "", **files}.items():
        path = tmp_path / "cornu" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    monkeypatch.setattr(check_imports, "ROOT", tmp_path)
    problems, _ = check_imports.problems()
    assert any(words in problem for problem in problems), problems
