"""Say which engines and devices can be used here, which backend is chosen and by what, and what would make the others usable.

Each engine is asked in a process of its own, all at once: one that is broken cannot end the command, and none stays loaded.
"""

import importlib.metadata
import importlib.util
import json
import os
import platform
import shutil
import subprocess
import sys

from cornu import backends, settings
from cornu.version import __version__

SECONDS = 120  # for an engine to say what it sees; a first import on a slow disk takes long

PACKAGES = {  # name to import -> (name to install, what it is for)
    "numpy": ("numpy", "arrays on the host; the backend numpy"),
    "h5py": ("h5py", "weights in .keras and .h5 files"),
    "ml_dtypes": ("ml-dtypes", "bfloat16 and float8 on the host"),
    "rich": ("rich", "progress bars and tables"),
    "matplotlib": ("matplotlib", "curves, plot_model, galleries of pictures"),
    "PIL": ("pillow", "load_img, save_img, image_dataset_from_directory"),
    "pandas": ("pandas", "data frames in fit"),
    "sklearn": ("scikit-learn", "SKLearnClassifier and its kin"),
    "tensorboard": ("tensorboard", "looking at what callbacks.TensorBoard wrote"),
    "orbax.checkpoint": ("orbax-checkpoint", "callbacks.OrbaxCheckpoint"),
}
ACCELERATED = {  # (maker of the accelerator, backend) -> what installs the engine for it
    ("NVIDIA", "jax"): "pip install 'jax[cuda12]'",
    ("NVIDIA", "torch"): "pip install torch, without an index for CPUs",
    ("NVIDIA", "tensorflow"): "pip install 'tensorflow[and-cuda]'",
    ("AMD", "jax"): "pip install 'jax[rocm7-local]', beside ROCm",
    ("AMD", "torch"): "install PyTorch from its index for ROCm: pytorch.org/get-started",
}
_ASK = """
import json, sys
from cornu import backends
backend = backends.load(sys.argv[1])
print(json.dumps([sys.modules[sys.argv[2]].__version__, backend.devices()]))
"""


def arguments(parser):
    parser.add_argument("--json", action="store_true", help="print it as JSON")
    parser.add_argument("--quick", action="store_true", help="do not start the engines: no devices, and what is broken is not seen")


def run(given):
    found = examine(given.quick)
    print(json.dumps(found, indent=2) if given.json else _terminal(found) if sys.stdout.isatty() else _plain(found))
    return 0


def examine(quick=False):
    """What there is, as plain data.

    Args:
        quick: whether to leave out what only starting the engines tells.
    """
    chosen, problem = backends.choice()
    asked, where = settings.get("backend_asked")
    chosen = None if problem and where in settings.VARIABLES else chosen
    maker = _maker()
    asking = {} if quick else {name: _ask(name) for name in backends.BACKENDS if _is_there(backends.BACKENDS[name][0])}
    return {
        "cornu": __version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cores": os.cpu_count(),
        "accelerator": maker,
        "home": settings.home(),
        "backend": {"name": chosen, "asked": asked, "where": where, "problem": problem},
        "engines": [_engine(name, asking.get(name), chosen, maker) for name in backends.BACKENDS],
        "packages": [{"name": pip, "version": _version(name, pip), "for": use} for name, (pip, use) in PACKAGES.items()],
    }


def _is_there(module):
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:  # what it lies in is not there
        return False


def _version(module, *packages):
    """The version of what is installed, without importing it; None where it is not."""
    if not _is_there(module):
        return None
    for package in (*packages, module):
        try:
            return importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            pass
    named = importlib.metadata.packages_distributions().get(module.partition(".")[0])  # tensorflow-cpu brings tensorflow; reads every package's list
    return importlib.metadata.version(named[0]) if named else "unknown"


def _maker():
    """Who made the accelerator of this machine, as its driver shows; None where none is seen."""
    if os.path.isdir("/proc/driver/nvidia/gpus") or shutil.which("nvidia-smi"):
        return "NVIDIA"
    return "AMD" if os.path.exists("/dev/kfd") else None


def _ask(name):
    """A process that asks the engine of a backend for its version and devices."""
    clean = {key: value for key, value in os.environ.items() if key not in settings.VARIABLES}
    path = os.pathsep.join([os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))), *filter(None, [clean.get("PYTHONPATH")])])
    return subprocess.Popen(
        [sys.executable, "-c", _ASK, name, backends.BACKENDS[name][0]],
        env={**clean, "PYTHONPATH": path, "TF_CPP_MIN_LOG_LEVEL": "3"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _engine(name, process, chosen, maker):
    module, command, _ = backends.BACKENDS[name]
    found = {"name": name, "chosen": name == chosen, "installed": _is_there(module), "version": None, "devices": None, "problem": None, "advice": None}
    if not found["installed"]:
        return {**found, "problem": "not installed", "advice": command}
    found["version"] = _version(module)
    if process is None:
        return found
    try:
        said, errors = process.communicate(timeout=SECONDS)
        found["version"], found["devices"] = json.loads(said.splitlines()[-1])
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        found["problem"] = f"said nothing for {SECONDS} seconds"
    except (ValueError, IndexError):
        found["problem"] = (errors.strip().splitlines() or [f"ended with status {process.returncode}"])[-1]
        found["advice"] = f"{command} --force-reinstall"
    if found["devices"] is not None and maker and all(device.startswith("cpu") for device in found["devices"]):
        found["advice"] = ACCELERATED.get((maker, name))
    return found


def _choice(found):
    choice = found["backend"]
    if choice["name"] is None:
        return f"none: {choice['where']}={choice['asked']}: {choice['problem']}"
    if choice["problem"]:
        return f"{choice['name']}, by default: {choice['where'] or 'but'}: {choice['problem']}"
    return f"{choice['name']}, " + (f"by {choice['where']}" if choice["where"] else "by default")


def _tables(found):
    """(columns, rows) of each table."""
    engines = [
        (
            f"{'* ' if engine['chosen'] else '  '}{engine['name']}",
            engine["version"] or "-",
            ", ".join(engine["devices"]) if engine["devices"] else "-",
            "; ".join(filter(None, [engine["problem"], engine["advice"]])) or "-",
        )
        for engine in found["engines"]
    ]
    packages = [(package["name"], package["version"] or "-", package["for"]) for package in found["packages"]]
    packages = [(name, version, use if version != "-" else f"{use}: pip install {name}") for name, version, use in packages]
    return [(("backend", "engine", "devices", "what is missing"), engines), (("package", "version", "for"), packages)]


def _head(found):
    accelerator = f", an accelerator of {found['accelerator']}" if found["accelerator"] else ""
    path = os.path.join(found["home"], "keras.json")
    return (
        f"cornu {found['cornu']}, Python {found['python']}, {found['platform']}, {found['cores']} cores{accelerator}\n"
        f"settings: {path}{'' if os.path.isfile(path) else ' (not there: all is as by default)'}\nbackend: {_choice(found)}"
    )


def _plain(found):
    lines = [_head(found)]
    for columns, rows in _tables(found):
        widths = [max(len(row[i]) for row in (columns, *rows)) for i in range(len(columns))]
        lines.append("")
        lines += ["  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in (columns, *rows)]
    return "\n".join(lines)


def _terminal(found):
    from rich.console import Console  # a tenth of a second to import, needed by nothing else here
    from rich.table import Table
    from rich.text import Text

    console = Console()
    with console.capture() as capture:
        console.print(_head(found), markup=False, soft_wrap=True)
        for columns, rows in _tables(found):
            table = Table(*columns)
            for row in rows:
                table.add_row(*map(Text, row))
            console.print(table)
    return capture.get().rstrip()
