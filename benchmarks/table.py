"""What benchmarks/fit.py found, as text of at most 120 columns."""

import math
import textwrap

NAMES = {"jax": "JAX", "torch": "PyTorch", "tensorflow": "TensorFlow", "pytensor": "PyTensor", "numpy": "NumPy", "torch.compile": "torch.compile"}
HEAD = (
    f"{'workload':12s}{'contender':24s}{'CPU ms':>9s}{'wall ms':>9s}{'x floor':>8s}{'x ours/JAX':>11s}"
    f"{'Keras/ours':>11s}{'hand/ours':>10s}{'best/ours':>10s}{'losses':>9s}{'right':>7s}"
)


def named(contender):
    """`cornu/jax` -> `ours on JAX`."""
    kind, engine = contender.split("/")
    return {"cornu": f"ours on {NAMES[engine]}", "keras": f"Keras on {NAMES[engine]}", "hand": f"{NAMES[engine]} by hand"}[kind]


def short(number):
    """Three digits, no exponent where it can be helped; a dash where there is none.

    >>> [short(x) for x in (0.01234, 1.234, 12.34, 1234.5, None)]
    ['0.0123', '1.23', '12.3', '1234', '-']
    """
    if number is None or math.isnan(number):
        return "-"
    if number == 0 or abs(number) < 1e-3:
        return f"{number:.0e}" if number else "0"
    return f"{number:.{max(0, 2 - math.floor(math.log10(abs(number))))}f}"


def times(part, what="cpu_ms"):
    """contender -> milliseconds, of those that were measured."""
    return {contender: row[what] for contender, row in part["rows"].items() if what in row}


def ratios(part, engine, what="cpu_ms"):
    """How many times as long as ours on `engine` take: Keras on it, the better of what is by hand on it, and the best peer on any; None where not known."""
    found = times(part, what)
    ours = found.get(f"cornu/{engine}")
    peers = {contender: time for contender, time in found.items() if not contender.startswith("cornu")}
    by_hand = [time for contender, time in peers.items() if contender == f"hand/{engine}"]
    against = lambda times: min(times) / ours if ours and times else None
    return {"keras": against([peers[f"keras/{engine}"]] if f"keras/{engine}" in peers else []), "hand": against(by_hand), "best": against(peers.values())}


def best(part, what="cpu_ms"):
    """The name of the fastest peer, or None."""
    peers = {contender: time for contender, time in times(part, what).items() if not contender.startswith("cornu")}
    return min(peers, key=peers.get) if peers else None


def agrees(row):
    """Whether the losses were those of the reference."""
    return max(row["loss_difference"], row["loss_difference_many"]) <= 1e-4


def of(name, part):
    """The lines of one workload."""
    least = part["floor"].get("ms")
    if least:
        rates = f"{part['floor']['flops'] / 1e9:.3g} GFLOP at {part['floor']['gflops_per_s']:.0f} a second, {part['floor']['bytes'] / 1e6:.3g} MB"
        lines = [f"{name:12s}{'floor':24s}{short(least):>9s}{'':9s}{'1':>8s}   {rates}; {part['cores']} core{'s' * (part['cores'] > 1)}"]
    else:
        lines = [f"{name:12s}no floor, no comparison of losses: {part['floor'].get('left_out')}"[:120]]
    ours = times(part).get("cornu/jax")
    for contender, row in part["rows"].items():
        if "left_out" in row:
            lines.append(f"{'':12s}{named(contender):24s}left out: {row['left_out']}"[:120])
            continue
        kind, engine = contender.split("/")
        cells = ratios(part, engine) if kind == "cornu" else {"keras": None, "hand": None, "best": None}
        losses = "-" if "loss_difference" not in row else "agree" if agrees(row) else f"{max(row['loss_difference'], row['loss_difference_many']):.0e}"
        right = f"{row['accuracy']:.1%}" if "accuracy" in row else "-"
        lines.append(
            f"{'':12s}{named(contender):24s}{short(row['cpu_ms']):>9s}{short(row['wall_ms']):>9s}{short(row['cpu_ms'] / least if least else None):>8s}"
            f"{short(row['cpu_ms'] / ours if ours else None):>11s}{short(cells['keras']):>11s}{short(cells['hand']):>10s}{short(cells['best']):>10s}"
            f"{losses:>9s}{right:>7s}"
        )
    return lines


def mean(numbers):
    """The geometric mean, and of how many; None where there are none."""
    numbers = [number for number in numbers if number]
    return (math.exp(sum(map(math.log, numbers)) / len(numbers)) if numbers else None), len(numbers)


def means(found):
    """The geometric means over the workloads."""
    lines = ["geometric means over the workloads (how many), CPU time: above 1 we are faster"]
    for engine in ("jax", "torch", "tensorflow", "pytensor", "numpy"):
        cells = [ratios(part, engine) for part in found.values()]
        told = []
        for key, says in (("keras", f"Keras on {NAMES[engine]}"), ("hand", f"{NAMES[engine]} by hand"), ("best", "best peer")):
            value, count = mean(cell[key] for cell in cells)
            told += [f"{says} / ours {short(value)} ({count})"] if count else []
        if told:
            lines += textwrap.wrap(f"  ours on {NAMES[engine]:12s}" + ", ".join(told), 118, subsequent_indent=" " * 22)
    return lines


def predict(found):
    """`predict`: a batch of 32 of many rows, and one row by itself."""
    lines = [
        "predict, ms: a batch of 32 among 2,048 rows (256 of an application); one row by itself;",
        "             bare: a compiled call of our own model on JAX, with nothing around, and by hand on other engines",
        f"{'workload':12s}{'contender':24s}{'batch CPU':>11s}{'wall':>9s}{'Keras/ours':>11s}{'best/ours':>10s}{'one CPU':>10s}{'wall':>9s}{'Keras/ours':>11s}{'ours/bare':>10s}",
    ]
    for name, part in found.items():
        first = name
        for contender, row in part["rows"].items():
            if "predict_cpu_ms" not in row:
                continue
            kind, engine = contender.split("/")
            many, one = (ratios(part, engine, what) if kind == "cornu" else {"keras": None, "best": None} for what in ("predict_cpu_ms", "one_cpu_ms"))
            lines.append(
                f"{first:12s}{named(contender):24s}{short(row['predict_cpu_ms']):>11s}{short(row['predict_wall_ms']):>9s}{short(many['keras']):>11s}"
                f"{short(many['best']):>10s}{short(row['one_cpu_ms']):>10s}{short(row['one_wall_ms']):>9s}{short(one['keras']):>11s}{short(over_bare(part, engine) if kind == 'cornu' else None):>10s}"
            )
            first = ""
    return lines if len(lines) > 3 else []


def over_bare(part, engine):
    """Our one-row `predict` over the engine's bare compiled call: that of our own model on JAX, by hand elsewhere."""
    ours, by_hand = part["rows"][f"cornu/{engine}"], part["rows"].get(f"hand/{engine}", {})
    bare = ours.get("bare_one_cpu_ms", by_hand.get("one_cpu_ms"))
    return ours["one_cpu_ms"] / bare if bare and "one_cpu_ms" in ours else None
