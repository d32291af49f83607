"""A step of `fit` and a call of `predict`: ours on each backend, Keras on the same engines, and by hand, in one table.

    python benchmarks/fit.py [mlp cnn lstm transformer resnet50 mobilenet tiny] [--engines jax torch ...] [--peers keras torch jax ...] [--mnist mnist.npz]
                             [--quick] [--repeats 2] [--rounds 2] [--seconds 2] [--limit 200] [--cores 1] [--show]

Every contender runs in processes of its own, by turns, with its default settings and on `--cores` cores: `fit` for Keras and ours (the same lines of code,
workloads.py), a plain loop by hand (by_hand.py). The peers run in the interpreter that `--oracle` or `CORNU_ORACLE` names (an environment or its python),
by default `.venv-oracle`. A first `fit` compiles and is not counted; of the further ones, at least `--repeats` and `--seconds` long, the least counts.
Processor time is that of all threads. What fails, or takes longer than `--limit` seconds, is said and left out; results are saved after every workload.

No speed is bought with a changed result: from the same first weights, dropout off, ten steps of `fit` must give the losses that NumPy gives in float64 (JAX for the
applications, which NumPy and PyTensor leave out: minutes) within 1e-4, and so must ten more in one `fit`; with `--mnist` the accuracy of the mlp on new digits after its first epoch is told.
"""

import argparse
import contextlib
import importlib.util
import io
import json
import os
import signal
import subprocess
import sys
import tempfile
import time

import numpy as np
import table
from measuring import kept, oracle, rates, save
from workloads import CHECKED, WORKLOADS, compiled, data, digits, floor

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
ENGINES = {"jax": "JAX", "torch": "PyTorch", "tensorflow": "TensorFlow", "pytensor": "PyTensor", "numpy": "NumPy"}
INSTALLED = [engine for engine in ENGINES if importlib.util.find_spec(engine)]
KERAS = ("jax", "tensorflow", "torch")
HAND = ("torch", "torch.compile", "jax", "tensorflow")
PREDICTED, CALLS = 2048, 1000  # rows at once, calls of one row
COMPILING = {"pytensor": 5}  # times the limit, for engines that compile for minutes: the lstm takes 350 s on a busy machine, the cnn 160
LONG = 12  # seconds: what took longer, mostly to compile, is not run in further rounds


# -- one contender, in a process of its own ---------------------------------------------------------------------------------------------------


def library(name):
    if name == "cornu":
        import cornu as keras
    else:
        import keras
    return keras


def timed(run, seconds, repeats):
    """The least (processor, wall) seconds of `run()`."""
    times, begun = [], time.perf_counter()
    while len(times) < repeats or time.perf_counter() - begun < seconds:
        start = time.perf_counter(), time.process_time()
        run()
        times.append((time.process_time() - start[1], time.perf_counter() - start[0]))
    return [min(column) for column in zip(*times, strict=True)]


def losses(model, name, weights, mnist):
    """The losses of ten steps, each a `fit` of its own, and the mean loss of ten more in one `fit`; begun from `weights`."""
    x, y, size = *data(name, mnist), WORKLOADS[name].batch
    if weights is not None:
        model.set_weights(weights)
    fit = lambda x, y: float(model.fit(x, y, batch_size=size, epochs=1, shuffle=False, verbose=0).history["loss"][0])
    places = [slice(i * size, (i + 1) * size) for i in range(CHECKED)]
    return [*(fit(x[place], y[place]) for place in places), fit(x[: CHECKED * size], y[: CHECKED * size])]


def predicting(predict, x, slow, seconds):
    """Milliseconds, processor and wall, of a batch of 32 among 2,048 rows (256 of an application), and of one row by itself."""
    x = np.resize(x, (PREDICTED // 8 if slow else PREDICTED, *x.shape[1:]))
    predict(x, 32)
    many = [1e3 * 32 / len(x) * spent for spent in timed(lambda: predict(x, 32), seconds, 2)]
    predict(x[:1], 1)
    first = timed(lambda: predict(x[:1], 1), 0, 20)  # of 1,000 calls these are few, and some libraries compile or record after some
    calls = int(np.clip(seconds / 5 / first[1], 4, CALLS // 5))
    some = lambda: [predict(x[:1], 1) for _ in range(calls)]
    return many, [1e3 / calls * spent for spent in timed(some, seconds, 5 if calls == CALLS // 5 else 2)]


def bare(model):
    """A compiled call of the model with nothing around it, on JAX."""
    import jax

    states = [[variable.value for variable in group] for group in (model.trainable_variables, model.non_trainable_variables)]
    call = jax.jit(lambda trained, others, x: model.stateless_call(trained, others, x, training=False)[0])
    return lambda x, size: np.asarray(call(*states, x))


def by_fit(kind, engine, name, given, x, y):
    """(train, predict, what was found about the losses)."""
    keras, workload, found, model = library(kind), WORKLOADS[name], {}, None
    if given.reference and given.first and (kind == "cornu" or engine == ("tensorflow" if workload.slow else "jax")):
        with np.load(given.reference) as file:
            wanted, weights = file["losses"], [file[key] for key in sorted(key for key in file if key != "losses")]
        model = compiled(keras, name, dropout=0)
        difference = np.abs(np.array(losses(model, name, weights, given.mnist)) - wanted)
        found = {"loss_difference": float(difference[:-1].max()), "loss_difference_many": float(difference[-1])}
    if model is None or name == "mlp":
        model = compiled(keras, name)
    train = lambda verbose=0: model.fit(x, y, batch_size=workload.batch, epochs=workload.epochs, verbose=verbose)
    predict = lambda x, size: model.predict(x, batch_size=size, verbose=0)
    if kind == "cornu" and engine == "jax":
        found["bare"] = lambda: bare(model)
    return train, predict, found


def measure(contender, name, given):
    """Everything about one contender and workload."""
    kind, engine = contender.split("/")
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: given.cores])
    os.environ["KERAS_BACKEND"] = os.environ["CORNU_BACKEND"] = engine
    workload = WORKLOADS[name]
    x, y = data(name, given.mnist)
    if name != "tiny":
        x, y = x[: workload.rows], y[: workload.rows]
    if kind == "hand":
        import by_hand

        maker = {"jax": by_hand.by_jax, "tensorflow": by_hand.by_tensorflow}.get(engine, by_hand.by_torch)
        train, predict = maker(name, x, y, *([True] if engine == "torch.compile" else []))
        found = {}
    else:
        train, predict, found = by_fit(kind, engine, name, given, x, y)
    make_bare = found.pop("bare", None)
    spent = timed(train, 0, 1)
    found["first_fit_cpu_s"], found["first_fit_s"] = spent
    if name == "mlp" and given.mnist and given.first:
        new_x, new_y = digits(given.mnist, "test")
        found["accuracy"] = float(np.mean(predict(new_x.reshape(-1, 784), 250).argmax(1) == new_y))
    steps = workload.epochs * -(-len(x) // workload.batch)
    timings = {"": timed(train, given.seconds, given.repeats)}
    if kind == "cornu":
        with contextlib.redirect_stdout(io.StringIO()):
            timings["bar_"] = timed(lambda: train(verbose=1), 0, given.repeats)
    for what, spent in timings.items():
        found[f"{what}cpu_ms"], found[f"{what}wall_ms"] = (1e3 * one / steps for one in spent)
    if given.first and not given.no_predict:
        seconds = given.seconds / 4
        (found["predict_cpu_ms"], found["predict_wall_ms"]), (found["one_cpu_ms"], found["one_wall_ms"]) = predicting(predict, x, workload.slow, seconds)
        if make_bare:
            found["bare_one_cpu_ms"], found["bare_one_wall_ms"] = predicting(make_bare(), x[:1], True, seconds)[1]
    return found


def reference(name, given):
    """The floor of a step; and first weights and losses, into the file `given.reference`: by NumPy in float64, or JAX where that would take minutes."""
    os.environ["KERAS_BACKEND"] = os.environ["CORNU_BACKEND"] = "jax" if WORKLOADS[name].slow else "numpy"
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: given.cores])
    keras = library("cornu")
    keras.utils.set_random_seed(0)
    if not WORKLOADS[name].slow:  # what rounding moves is decided by more digits
        keras.config.set_floatx("float64")
        keras.config.set_dtype_policy("float64")
    model = compiled(keras, name, dropout=0)
    weights = [np.array(weight, "float32") for weight in model.get_weights()]
    np.savez(given.reference, losses=losses(model, name, weights, given.mnist), **{f"w{i:04d}": weight for i, weight in enumerate(weights)})
    (flops, moved), (per_ms, bytes_per_ms) = floor(name), rates()
    return {"flops": flops, "bytes": moved, "gflops_per_s": per_ms / 1e6, "gb_per_s": bytes_per_ms / 1e6, "ms": max(flops / per_ms, moved / bytes_per_ms)}


# -- all of them, by turns ----------------------------------------------------------------------------------------------------------------------


def contenders(name, given):
    """Names of what is measured on a workload."""
    from by_hand import WRITTEN

    ours = [f"cornu/{engine}" for engine in given.engines if not WORKLOADS[name].slow or engine not in ("numpy", "pytensor")]  # minutes
    if given.quick and WORKLOADS[name].slow:
        return ["cornu/jax", *(["keras/tensorflow"] if "keras" in given.peers else []), *(["hand/torch"] if "torch" in given.peers else [])]
    keras = [f"keras/{engine}" for engine in given.engines if engine in KERAS] if "keras" in given.peers else []
    return [*ours, *keras, *(f"hand/{how}" for how in HAND if how in given.peers and name in WRITTEN[how])]


def in_its_own_process(contender, name, given, folder, first):
    """What `measure` finds in a new process; where that fails, `left_out` says why."""
    ours = contender == "reference" or contender.startswith("cornu")
    environment = os.environ | {"PYTHONPATH": ROOT if ours else "", "PYTHONWARNINGS": "ignore", "TF_CPP_MIN_LOG_LEVEL": "3", "KERAS_HOME": folder}
    environment |= {"TORCHINDUCTOR_CACHE_DIR": os.path.join(folder, "inductor"), "TORCHINDUCTOR_COMPILE_THREADS": "1"}
    command = [sys.executable if ours else oracle(given.oracle), os.path.abspath(__file__), name, "--measure", contender]
    for option in "repeats", "seconds", "cores":
        command += [f"--{option}", str(getattr(given, option))]
    command += ["--mnist", os.path.abspath(given.mnist)] if given.mnist else []
    written = os.path.join(folder, f"{name}.npz")
    command += ["--reference", written] if contender == "reference" or os.path.exists(written) else []
    command += [*(["--first"] if first else []), *(["--no-predict"] if given.no_predict else [])]
    begun, limit = time.perf_counter(), given.limit * COMPILING.get(contender.split("/")[-1], 1)
    process = subprocess.Popen(command, env=environment, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)
    try:
        output, errors = process.communicate(timeout=limit)
    except subprocess.TimeoutExpired:
        output, errors = "", f"more than {limit:g} s"
    finally:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)  # what it started itself too
        process.communicate()
    try:
        return json.loads(output.strip().splitlines()[-1]) | {"process_s": time.perf_counter() - begun}
    except (ValueError, IndexError):
        said = [line for line in errors.strip().splitlines() if line.strip()] or [f"ended with {process.returncode}"]
        return {"left_out": said[-1].strip()[:200]}


def merged(rounds):
    """The least of each time over the rounds; what only one of them measured is taken from it."""
    fine = [row for row in rounds if "left_out" not in row]
    if not fine:
        return rounds[0]
    keys = dict.fromkeys(key for row in fine for key in row)
    return {key: min(row[key] for row in fine if key in row) for key in keys}


def compared(name, given, folder):
    """The floor and a row for each contender of one workload."""
    least, found = in_its_own_process("reference", name, given, folder, True), {}
    for number in range(1 if WORKLOADS[name].slow else given.rounds):  # by turns, since the machine may be busier at one time than at another
        for contender in contenders(name, given):
            if number and found[contender][0].get("process_s", LONG) >= LONG:
                continue
            if sys.stderr.isatty():
                print(f"{name}, round {number + 1}: {contender:20s}", end="\r", file=sys.stderr, flush=True)
            found.setdefault(contender, []).append(in_its_own_process(contender, name, given, folder, number == 0))
    return {"when": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()), "cores": given.cores, "data": "mnist" if given.mnist else "random"} | {
        "floor": least,
        "rows": {contender: merged(rounds) for contender, rounds in found.items()},
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("workloads", nargs="*", default=[], metavar="workload", help=f"{', '.join(WORKLOADS)}; by default all")
    parser.add_argument(
        "--engines", "--engine", nargs="*", default=INSTALLED, choices=list(ENGINES), help="what ours and Keras run on; by default all that are installed"
    )
    parser.add_argument("--peers", nargs="*", default=["keras", *HAND], choices=["keras", *HAND], help="Keras; and by hand in these")
    parser.add_argument("--oracle")
    parser.add_argument("--mnist", help="mnist.npz, for real digits in place of random numbers")
    parser.add_argument("--quick", action="store_true", help="one round, JAX, PyTorch and TensorFlow, little of the applications: within 10 minutes")
    parser.add_argument("--repeats", type=int, default=2, help="fits measured in a process, at least")
    parser.add_argument("--seconds", type=float, default=2.0, help="for how long fits are measured in a process, at least")
    parser.add_argument("--rounds", type=int, default=2, help="processes of each contender, by turns; one for applications")
    parser.add_argument("--limit", type=float, default=200.0, help="seconds after which a process is given up; five times as many on PyTensor")
    parser.add_argument("--cores", type=int, default=1, help="cores that each process may use")
    parser.add_argument("--no-predict", action="store_true", help="leave predict out")
    parser.add_argument("--name", help="of the file in results/: by default fit, or fit_quick, or fit_part where engines or peers are left out")
    parser.add_argument("--show", action="store_true", help="print what was saved; measure nothing")
    for option, kind in (("--measure", str), ("--reference", str), ("--first", None)):  # for the processes that this one starts
        parser.add_argument(option, help=argparse.SUPPRESS, **({"type": kind} if kind else {"action": "store_true"}))
    given = parser.parse_args()
    unknown = [name for name in given.workloads if name not in WORKLOADS]
    if unknown:
        parser.error(f"no workload {', '.join(unknown)}. There are {', '.join(WORKLOADS)}.")
    names = given.workloads or list(WORKLOADS)
    if given.measure:
        print(json.dumps(reference(names[0], given) if given.measure == "reference" else measure(given.measure, names[0], given)))
        return
    whole = set(given.engines) >= set(INSTALLED) and set(given.peers) >= {"keras", *HAND}
    saved = given.name or ("fit_quick" if given.quick else "fit" if whole else "fit_part")
    found = kept(saved).get("workloads", {})
    if given.show:
        found = {name: found[name] for name in names if name in found}
    else:
        if given.quick:
            given.rounds, given.seconds, given.limit = 1, min(given.seconds, 1.0), min(given.limit, 60.0)
            given.engines = [engine for engine in given.engines if engine in KERAS]
            given.peers = [peer for peer in given.peers if peer not in ("torch.compile", "tensorflow")]
        if given.peers and not oracle(given.oracle):
            parser.error(f"--oracle: no python in {given.oracle or '.venv-peers'}. Give an environment that has the peers, or --peers with nothing after it.")
        signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended; what was measured before is saved"))
        print(table.HEAD, flush=True)
        with tempfile.TemporaryDirectory(prefix="cornu-bench-") as folder:
            for name in names:
                found[name] = compared(name, given, folder)
                print("\n".join(table.of(name, found[name])), flush=True)
                save(saved, {"workloads": kept(saved).get("workloads", {}) | {name: found[name]}}, say=name == names[-1])
        found = {name: found[name] for name in names}
        print()
    if given.show:
        print("\n".join([table.HEAD, *(line for name, part in found.items() for line in table.of(name, part)), ""]))
    print("\n".join([*table.means(found), "", *table.predict(found)]))


if __name__ == "__main__":
    main()
