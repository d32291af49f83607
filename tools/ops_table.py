"""Print what is checked of every op: eager, symbolic with sizes not known, compiled, gradient, types. Each row is a run of its tests.

    python tools/ops_table.py            the whole table
    python tools/ops_table.py relu add   these ops alone

`yes` passed, `FAILS` did not, `none` has a reason in tests/gaps/ops.txt, `MISSING` has neither: then the exit code is 1.
"""

import collections
import pathlib
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent
CHECKS = ("eager", "symbolic", "compiled", "gradient", "dtypes")
PREFIXES = {"test_values": "eager", "test_symbolic": "symbolic", "test_inferred": "symbolic", "test_compiled": "compiled", "test_gradient": "gradient"}
PREFIXES |= {"test_types": "dtypes"}


class Recorder:
    """A plugin of pytest that keeps what came of the tests of each op."""

    def __init__(self, only):
        self.only, self.outcomes = set(only), collections.defaultdict(set)

    def pytest_collection_modifyitems(self, items):
        items[:] = [item for item in items if self.places(item) and (not self.only or self.places(item)[0][0] in self.only)]

    @staticmethod
    def places(item):
        """(op, check) of each thing that a test shows."""
        name = getattr(item, "callspec", None) and item.callspec.params.get("name")
        checks = [check for prefix, check in PREFIXES.items() if item.name.startswith(prefix)]
        if checks == ["eager"] and hasattr(item.module, "ROWS"):
            checks += ["compiled"]  # the first row of each op
        return [(getattr(item.module, "PLACE", "") + name, check) for check in checks] if isinstance(name, str) else []

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_makereport(self, item, call):
        report = (yield).get_result()
        if report.when == "call" or report.failed:
            for place in self.places(item):
                self.outcomes[place].add(report.outcome)


def main(only):
    sys.path.insert(0, str(ROOT))
    recorder = Recorder(only)
    pytest.main([str(ROOT / "tests" / "ops"), "-q", "--no-header", "--tb=no", "-p", "no:cacheprovider"], plugins=[recorder])
    from tests import gaps
    from tests.ops import cases

    reasons, holes, totals = gaps.of_ops(), 0, collections.Counter()
    print(f"\n{'op':<32}" + "".join(f"{check:>10}" for check in CHECKS))
    for name in sorted(cases.everywhere()):
        if only and name not in only:
            continue
        row = []
        for check in CHECKS:
            found = recorder.outcomes[name, check]
            cell = "FAILS" if "failed" in found else "yes" if "passed" in found else "none" if (name, check) in reasons or name in cases.BY_HAND else "MISSING"
            holes += cell in ("FAILS", "MISSING")
            totals[check] += cell == "yes"
            row.append("by hand" if name in cases.BY_HAND else cell)
        print(f"{name:<32}" + "".join(f"{cell:>10}" for cell in row))
    print(f"{'checked':<32}" + "".join(f"{totals[check]:>10}" for check in CHECKS) + f"\n{holes} holes")
    return holes > 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
