"""Fixtures for every test: the backends, fresh names, real data."""

import os
import pathlib
import sys
import tempfile

import pytest

_folder = tempfile.TemporaryDirectory(prefix="cornu-tests-")  # goes with the session; what other processes leave behind lies in it too
os.environ["TMPDIR"] = os.environ["KERAS_HOME"] = _folder.name  # no keras.json of the user's is read
pathlib.Path(_folder.name, "keras.json").write_text("{}", encoding="utf-8")  # TensorFlow writes one that names it where there is none
os.environ.setdefault("CORNU_PYTENSOR_MODE", "quick")  # programs of PyTensor run as they are, where compiling each takes seconds

from cornu import backends, random, scopes  # noqa: E402
from cornu.backends import protocol  # noqa: E402
from tests import oracle  # noqa: E402

_ROOT = pathlib.Path(__file__).resolve().parent.parent


@pytest.fixture(params=os.environ.get("CORNU_TEST_BACKENDS", "jax numpy").split())
def backend(request):
    """Run the test on each backend of `CORNU_TEST_BACKENDS`; the value is the backend's module."""
    before = backends.name()
    yield backends.load(request.param)
    backends.load(before)


@pytest.fixture(autouse=True)
def fresh_names():
    """Names of layers and variables start anew: the first Dense of a test is `dense`."""
    scopes.reset_names()


@pytest.fixture(autouse=True)
def same_chance():
    """What is drawn without a seed is the same in every run."""
    random.set_random_seed(0)


_DEFAULT = backends.name()


@pytest.fixture(autouse=True)
def same_backend():
    """Whatever a test does, the next one begins on the default backend."""
    if protocol.backend is not None:
        backends.load(_DEFAULT)


@pytest.fixture(autouse=True, scope="module")
def bounded_memory():
    """JAX's compiled programs, which add up to gigabytes, go with the file that needed them."""
    yield
    if "jax" in sys.modules:
        sys.modules["jax"].clear_caches()


@pytest.fixture(scope="session")
def shared_data():
    """Folder of real data sets, pictures and weights: `CORNU_DATA`, else `shared/data` beside the repository."""
    folder = pathlib.Path(os.environ.get("CORNU_DATA", _ROOT.parent / "shared" / "data"))
    if not (folder / "datasets").is_dir():
        pytest.skip(f"no real data in {folder}: set CORNU_DATA to a folder that has datasets/mnist.npz and the like")
    return folder


def pytest_unconfigure(config):
    """A worker beside others ends without the interpreter's own tidying."""
    oracle.close()
    _folder.cleanup()


def pytest_addoption(parser):
    parser.addoption("--fast", action="store_true", help="leave out slow tests, and all but two parameter sets of each other test")


def pytest_collection_modifyitems(config, items):
    if not config.getoption("--fast"):
        return
    groups = {}
    for item in items:
        if not item.get_closest_marker("slow"):
            groups.setdefault(item.nodeid.split("[")[0], []).append(item)
    kept = {item for group in groups.values() for item in (group[0], group[-1])}
    config.hook.pytest_deselected(items=[item for item in items if item not in kept])
    items[:] = [item for item in items if item in kept]
