"""Print what is checked of each layer (or loss, metric, optimizer) against Keras: a row for each test parameter, a column for each test file.

python tools/walk_table.py tests/layers        runs these tests and prints their table
"""

import collections
import pathlib
import sys
import tempfile
import xml.etree.ElementTree as ElementTree

import pytest


def main(paths):
    with tempfile.TemporaryDirectory() as folder:
        report = pathlib.Path(folder) / "report.xml"
        code = pytest.main([*paths, "-q", "--tb=line", "-p", "no:cacheprovider", f"--junitxml={report}"])
        cases = list(ElementTree.parse(report).iter("testcase"))
    rows = collections.defaultdict(lambda: collections.defaultdict(collections.Counter))
    for case in cases:
        what, _, rest = case.get("name", "").partition("[")
        label = rest.rstrip("]").removeprefix("jax-").removeprefix("numpy-").split("(")[0].removeprefix("layers.") or what
        outcome = (
            "failed" if case.find("failure") is not None or case.find("error") is not None else "skipped" if case.find("skipped") is not None else "passed"
        )
        rows[label][case.get("classname", "").split(".")[-1].removeprefix("test_")][outcome] += 1
    columns = sorted({column for row in rows.values() for column in row})
    print(f"\n{'':<32}" + "".join(f"{column:>18}" for column in columns))
    shown = lambda counts: " ".join(f"{n} {outcome}" for outcome, n in sorted(counts.items()) if n) or "-"
    for label in sorted(rows):
        print(f"{label[:31]:<32}" + "".join(f"{shown(rows[label][column]):>18}" for column in columns))
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
