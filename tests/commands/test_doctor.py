"""`cornu doctor` tells what is there, and a broken engine does not end it."""

import importlib.metadata
import json
import os
import pathlib
import re
import subprocess
import sys

import numpy as np
import pytest

import cornu as keras
from cornu import backends, commands
from cornu.commands import doctor

ROOT = str(pathlib.Path(keras.__file__).parent.parent)


def run(*arguments, **environment):
    clean = {key: value for key, value in os.environ.items() if key not in ("CORNU_BACKEND", "KERAS_BACKEND")}
    path = os.pathsep.join(filter(None, [environment.pop("PYTHONPATH", ""), ROOT]))
    return subprocess.run([sys.executable, "-m", "cornu", *arguments], env={**clean, "PYTHONPATH": path, **environment}, capture_output=True, text=True)


def test_json():
    told = run("doctor", "--json", "--quick", KERAS_BACKEND="numpy")
    assert told.returncode == 0 and told.stderr == ""
    found = json.loads(told.stdout)
    assert found["python"] == ".".join(map(str, sys.version_info[:3])) and found["cornu"] == keras.__version__ and found["cores"] == os.cpu_count()
    assert found["backend"] == {"name": "numpy", "asked": "numpy", "where": "KERAS_BACKEND", "problem": None}
    engines = {engine["name"]: engine for engine in found["engines"]}
    assert list(engines) == list(backends.BACKENDS)
    assert [name for name, engine in engines.items() if engine["chosen"]] == ["numpy"]
    assert engines["numpy"]["version"] == np.__version__ and engines["jax"]["version"] == importlib.metadata.version("jax")
    for engine in engines.values():
        assert engine["installed"] or (engine["problem"], engine["advice"]) == ("not installed", backends.BACKENDS[engine["name"]][1])
    assert {package["name"]: package["version"] for package in found["packages"]}["h5py"] == importlib.metadata.version("h5py")


@pytest.mark.slow
def test_a_broken_engine(tmp_path):
    """It is told with its own words; the others are told as ever."""
    for module in ("torch", "tensorflow", "pytensor"):
        (tmp_path / module).mkdir()
        (tmp_path / module / "__init__.py").write_text("raise OSError('libnothing.so: cannot open shared object file')")
    told = run("doctor", PYTHONPATH=str(tmp_path), KERAS_BACKEND="torch")
    assert told.returncode == 0 and told.stderr == ""
    rows = {re.sub("[* ]+", "", line[:14]): line for line in told.stdout.split("\n\n")[1].splitlines()}
    assert rows["torch"].startswith("* torch") and rows["torch"].endswith(
        "OSError: libnothing.so: cannot open shared object file; pip install torch --force-reinstall"
    )
    assert re.fullmatch(rf"  numpy +{re.escape(np.__version__)} +cpu +-", rows["numpy"])
    assert re.match(r"  jax +[\d.]+ +(cpu|gpu|tpu):0", rows["jax"])
    assert "backend: torch, by KERAS_BACKEND" in told.stdout


@pytest.mark.parametrize("name", ["cntk", "caffe", "nonsense"])
def test_a_choice_that_cannot_be(name):
    told = run("doctor", "--quick", CORNU_BACKEND=name)
    assert told.returncode == 0 and f"backend: none: CORNU_BACKEND={name}: " in told.stdout and "* " not in told.stdout


def test_no_engine_is_loaded():
    code = "import sys; from cornu import commands; commands.main(['doctor', '--quick']); print(sorted({'jax', 'torch', 'tensorflow', 'pytensor'} & {*sys.modules}))"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env={**os.environ, "PYTHONPATH": ROOT}, check=True)
    assert told.stdout.splitlines()[-1] == "[]"


def test_an_accelerator_that_an_engine_does_not_see(monkeypatch):
    monkeypatch.setattr(doctor, "_maker", lambda: "NVIDIA")
    monkeypatch.setattr(doctor, "_ask", lambda name: Said('["2.0", ["cpu"]]' if name != "jax" else '["1.0", ["gpu:0 (NVIDIA H100)"]]'))
    engines = {engine["name"]: engine for engine in doctor.examine()["engines"] if engine["installed"]}
    assert engines["jax"]["devices"] == ["gpu:0 (NVIDIA H100)"] and engines["jax"]["advice"] is None
    assert engines["numpy"]["advice"] is None  # it computes on the processor alone
    if "torch" in engines:
        assert "pip install torch" in engines["torch"]["advice"]


class Said:
    """A process that has ended."""

    def __init__(self, text):
        self.text = text

    def communicate(self, timeout=None):
        return f"noise\n{self.text}\n", ""


def test_in_a_terminal(monkeypatch, capsys):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    monkeypatch.setenv("COLUMNS", "160")
    assert commands.main(["doctor", "--quick"]) == 0
    shown = capsys.readouterr().out
    assert "┏" in shown and all(f" {name} " in shown for name in backends.BACKENDS)


def test_the_command_line(capsys):
    for arguments, status in (["--version"], 0), ([], 2), (["nonsense"], 2), (["doctor", "--help"], 0):
        with pytest.raises(SystemExit) as ended:
            commands.main(arguments)
        assert ended.value.code == status
    shown = capsys.readouterr()
    assert f"cornu {keras.__version__}" in shown.out and "invalid choice: 'nonsense'" in shown.err
