"""What `import cornu` costs and brings along."""

import os
import subprocess
import sys


def run(code):
    environment = {key: value for key, value in os.environ.items() if key not in ("CORNU_BACKEND", "KERAS_BACKEND")}
    return subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, env=environment, check=True).stdout


def test_import_loads_no_engine():
    loaded = run("import sys, cornu; print([name for name in ('jax', 'h5py', 'matplotlib', 'PIL', 'pandas', 'rich') if name in sys.modules])")
    assert loaded.strip() == "[]"


def test_import_is_cheap():
    seconds = min(float(run("import time; start = time.process_time(); import cornu; print(time.process_time() - start)")) for _ in range(3))
    assert seconds < 0.15
