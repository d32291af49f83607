"""The goals of speed and memory, each met or not by what the other scripts saved last: fit.py, start.py, memory.py.

    python benchmarks/goals.py [fit]

Times are processor milliseconds; a ratio is of two figures of one run. A goal counts what was measured: the number of workloads stands beside it.
"""

import sys
import textwrap

import table
from measuring import kept

THIRD = 1 / 3


def each(found, engine, key, least, only=None):
    """(met, what was found) where every workload's ratio `key` on `engine` must be at least `least`."""
    ratios = {name: table.ratios(part, engine)[key] for name, part in found.items() if only is None or name in only}
    return judged({name: ratio for name, ratio in ratios.items() if ratio}, lambda ratio: ratio >= least)


def judged(figures, fine):
    """(met, text) of figures by name; None where there are none."""
    if not figures:
        return None, "not measured"
    missed = {name: figure for name, figure in figures.items() if not fine(figure)}
    told = ", ".join(f"{name} {table.short(figure)}" for name, figure in (missed or figures).items())
    return not missed, f"{len(figures) - len(missed)} of {len(figures)}{'; not: ' if missed else ': '}{told}"


def means(found, key, least):
    value, count = table.mean(table.ratios(part, "jax")[key] for part in found.values())
    return (value >= least, f"{value:.2f} over {count}") if count else (None, "not measured")


def overhead(found, engine):
    """Our step, progress bar written, over the best by hand on the engine."""
    figures = {}
    for name, part in found.items():
        by_hand = [time for contender, time in table.times(part).items() if contender.startswith("hand/") and contender.split("/")[1].split(".")[0] == engine]
        ours = part["rows"].get(f"cornu/{engine}", {}).get("bar_cpu_ms")
        if by_hand and ours:
            figures[name] = ours / min(by_hand)
    return judged(figures, lambda ratio: ratio <= 1.1)


def bare(found, engine):
    rows = {name: part for name, part in found.items() if "one_cpu_ms" in part["rows"].get(f"cornu/{engine}", {})}
    figures = {name: table.over_bare(part, engine) for name, part in rows.items()}
    return judged({name: ratio for name, ratio in figures.items() if ratio}, lambda ratio: ratio <= 2)


def results(found):
    differences = {
        f"{name} {table.named(contender)}": max(row["loss_difference"], row["loss_difference_many"])
        for name, part in found.items()
        for contender, row in part["rows"].items()
        if contender.startswith("cornu") and "loss_difference" in row
    }
    met, told = judged(differences, lambda difference: difference <= 1e-4)
    return met, told if not met else f"{len(differences)} of {len(differences)}, at most {max(differences.values()):.0e}"


def accuracy(found):
    """The lowest of ours on new digits beside the lowest of the peers."""
    rows = {contender: row["accuracy"] for contender, row in found.get("mlp", {}).get("rows", {}).items() if "accuracy" in row}
    ours, theirs = ([right for contender, right in rows.items() if contender.startswith("cornu") is own] for own in (True, False))
    if not ours or not theirs:
        return None, "not measured: give fit.py --mnist"
    return min(ours) >= min(theirs) - 0.005, f"{min(ours):.1%} to {max(ours):.1%}, peers {min(theirs):.1%} to {max(theirs):.1%}"


def start(runs, name, most, which="ours"):
    row = runs.get(name, {})
    if which not in row or "keras" not in row:
        return None, "not measured"
    ratio = row[which]["cpu_s"] / row["keras"]["cpu_s"]
    return ratio <= most, f"{row[which]['cpu_s']:.2f} s of Keras's {row['keras']['cpu_s']:.2f}: {ratio:.2f}"


def added(runs):
    """How many programs the second run of a script compiled and kept that the first had not."""
    rows = {name: row.get("ours, second run", {}) for name, row in runs.items()}
    return judged({name: row["programs_added"] for name, row in rows.items() if "programs_added" in row}, lambda count: count == 0)


def imported(runs):
    seconds = runs.get("import", {}).get("ours", {}).get("cpu_s")
    return (None, "not measured") if seconds is None else (seconds <= 0.15, f"{seconds:.3f} s of CPU")


def growth(memory, what):
    sizes = memory.get("growth_mb", {}).get(what, {}).get("ours")
    return (sizes[2] - sizes[1] < 1, f"{sizes[2] - sizes[1]:+.1f} MB over the second half") if sizes else (None, "not measured")


def goals(name):
    """Rows of (what is wanted, met, what was found)."""
    found, runs, memory = kept(name).get("workloads", {}), kept("start").get("runs", {}), kept("memory")
    tiny = found.get("tiny", {}).get("rows", {}).get("cornu/jax", {}).get("one_cpu_ms")
    return [
        ("ours on JAX faster than the best peer, each workload", *each(found, "jax", "best", 1)),
        ("geometric mean over Keras on JAX at least 3", *means(found, "keras", 3)),
        ("geometric mean over the best peer at least 1.2", *means(found, "best", 1.2)),
        ("ours on PyTorch faster than Keras on PyTorch, each", *each(found, "torch", "keras", 1)),
        ("ours on PyTorch at least 3 times Keras: mlp, lstm", *each(found, "torch", "keras", 3, ("mlp", "lstm"))),
        ("ours on PyTorch within 1.15 of by hand, each", *each(found, "torch", "hand", 1 / 1.15)),
        ("ours on TensorFlow faster than Keras on it, each", *each(found, "tensorflow", "keras", 1)),
        *((f"fit, bar shown, within 1.1 of by hand on {table.NAMES[engine]}", *overhead(found, engine)) for engine in ("jax", "torch", "tensorflow")),
        *((f"one-row predict at most twice bare, {table.NAMES[engine]}", *bare(found, engine)) for engine in ("jax", "torch", "tensorflow")),
        ("one-row predict of tiny at most 0.1 ms", *((None, "not measured") if tiny is None else (tiny <= 0.1, f"{tiny:.3f} ms"))),
        ("the losses of ten steps as NumPy's, within 1e-4", *results(found)),
        ("accuracy of the mlp as the peers', within 0.5 points", *accuracy(found)),
        ("first step of mlp in half of Keras's time", *start(runs, "mlp", 0.5)),
        ("first step of resnet50 in a third of Keras's", *start(runs, "resnet50", THIRD)),
        ("a second run of a script compiles nothing: programs", *added(runs)),
        ("import cornu at most 0.15 s", *imported(runs)),
        ("peak memory of fit not above Keras's: ratio", *judged(peaks(memory), lambda ratio: ratio <= 1)),
        ("no growth over 10,000 predicts", *growth(memory, "predict")),
        ("no growth over 200 models", *growth(memory, "models")),
    ]


def peaks(memory):
    return {name: row["ours"] / row["keras"] for name, row in memory.get("peak_mb", {}).items() if "keras" in row}


def main():
    print("goal" + " " * 50 + "met      figures (ratios above: times as fast; below: of the other)")
    for wanted, met, told in goals(sys.argv[1] if len(sys.argv) > 1 else "fit"):
        first, *rest = textwrap.wrap(told, 57)
        print(f"{wanted:54s}{'-' if met is None else 'met' if met else 'NOT MET':9s}{first}")
        print("".join(f"{'':63s}{line}\n" for line in rest), end="")


if __name__ == "__main__":
    main()
