"""Every program in the README runs as it stands."""

import pathlib
import re

import pytest

README = (pathlib.Path(__file__).resolve().parent.parent / "README.md").read_text(encoding="utf-8")
PROGRAMS = re.findall(r"^```python\n(.*?)^```", README, flags=re.DOTALL | re.MULTILINE)


@pytest.mark.slow
@pytest.mark.parametrize("program", PROGRAMS, ids=[f"program_{place}" for place in range(len(PROGRAMS))])
def test_program(program, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    exec(compile(program, "README.md", "exec"), {"__name__": "__main__"})


def test_paths_exist():
    root = pathlib.Path(__file__).resolve().parent.parent
    for path in re.findall(r"\]\((?!https?:)([^)#]+)\)", README):
        assert (root / path).exists(), path
