"""The folder of compiled programs: bounded, without half-written files, off when asked."""

import os
import subprocess
import sys
import textwrap
import time
import zlib

import pytest

from cornu.backends import programs


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("CORNU_CACHE", str(tmp_path))
    monkeypatch.delenv("CORNU_COMPILATION_CACHE", raising=False)
    return tmp_path


def entry(folder, name, content, age):
    path = os.path.join(folder, name)
    with open(path, "wb") as file:
        file.write(content)
    then = time.time() - age
    os.utime(path, (then, then))
    return path


def test_the_longest_unused_go_first(cache, monkeypatch):
    folder = programs.folder("engine-1")
    made = [entry(folder, f"{i}-cache", zlib.compress(os.urandom(300_000)), age=1000 - 100 * i) for i in range(5)]
    os.utime(made[0])  # used just now
    monkeypatch.setenv("CORNU_CACHE_MEGABYTES", "1")
    assert programs.folder("engine-2") != folder  # another engine's, under the same limit
    assert [os.path.exists(path) for path in made] == [True, False, False, False, True]


def test_half_written_files_go(cache):
    whole = zlib.compress(os.urandom(5000))
    folder = programs.folder("engine")
    old = entry(folder, "old-cache", whole[:-10], age=500)
    good = entry(folder, "good-cache", whole, age=500)
    empty = entry(folder, "empty-cache", b"", age=500)
    new = entry(folder, "new-cache", whole[:-10], age=1)
    os.unlink(cache / "programs" / "checked")
    programs.folder("engine")
    assert [os.path.exists(path) for path in (old, good, empty, new)] == [False, True, False, True]  # the new one may still be being written
    entry(folder, "seen-cache", whole[:-10], age=5000)
    programs.folder("engine")
    assert os.path.exists(os.path.join(folder, "seen-cache"))  # from before the last check: read once, not at every start


def test_off_and_where_it_cannot_be(cache, monkeypatch):
    monkeypatch.setenv("CORNU_COMPILATION_CACHE", "0")
    assert programs.folder("engine") is None and not (cache / "programs").exists()
    monkeypatch.delenv("CORNU_COMPILATION_CACHE")
    monkeypatch.setenv("CORNU_CACHE", "/proc/nowhere")
    assert programs.folder("engine") is None
    monkeypatch.setenv("CORNU_CACHE_MEGABYTES", "much")
    with pytest.raises(ValueError, match="much"):
        programs.folder("engine")


def test_a_folder_of_another_user_is_not_used(cache, monkeypatch):
    assert programs.folder("engine") is not None
    monkeypatch.setattr(os, "getuid", lambda: 12345)
    assert programs.folder("engine") is None


@pytest.mark.slow
def test_jax_computes_again_what_is_broken(cache):
    """Entries cut in the middle are gone at the next start, and are written anew; nothing is warned of."""
    code = "from cornu import backends; b = backends.load('jax')\n"
    code += "print(b.compile(lambda x: b.sum(b.matmul(x, x), (0, 1), False))(b.full((8, 8), 1.0, 'float32')))"

    def run():
        ran = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, timeout=120)
        assert ran.stderr == "" and ran.stdout.strip() == "512.0"
        return sorted(cache.rglob("*-cache"))

    entries = run()
    before = {path: path.read_bytes() for path in entries}
    (cache / "programs" / "checked").unlink()
    for path in entries:
        path.write_bytes(before[path][: len(before[path]) // 2])
        os.utime(path, (time.time() - 500,) * 2)
    assert entries and run() == entries
    assert all(len(path.read_bytes()) == len(before[path]) for path in entries)


@pytest.mark.slow
def test_the_second_run_of_a_script_compiles_nothing(cache):
    code = """
        import numpy as np, cornu, jax
        from jax import monitoring
        counts = {}
        monitoring.register_event_duration_secs_listener(lambda name, seconds, **_: counts.update({name: counts.get(name, 0) + 1}))
        monitoring.register_event_listener(lambda name, **_: counts.update({name: counts.get(name, 0) + 1}))
        layers = cornu.layers
        model = cornu.Sequential([cornu.Input((5,)), layers.Embedding(9, 4), layers.LSTM(3), layers.Dropout(0.5), layers.Dense(1)])
        model.compile("adam", "mse", metrics=["mae"])
        x, y = np.ones((11, 5), "int32"), np.ones((11, 1), "float32")
        compiled = lambda: counts.get("/jax/core/compile/backend_compile_duration", 0)
        assert compiled() == 0, "weights are drawn on the host"
        model.fit(x, y, batch_size=4, epochs=2, validation_split=0.3, verbose=0)
        model.evaluate(x, y, verbose=0)
        model.predict(x[:1], verbose=0)
        model(x)
        print(compiled(), compiled() - counts.get("/jax/compilation_cache/cache_hits", 0))
    """
    found = []
    for _ in range(2):
        ran = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, timeout=300)
        assert ran.returncode == 0, ran.stderr
        found.append(list(map(int, ran.stdout.split())))
    assert found[0][1] > 5
    assert found[1] == [found[0][0], 0]
