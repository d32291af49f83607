"""Pictures and tables of models: what stands in them, and that no arrow runs through a box."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cornu import backends, layers, models, utils
from cornu.visualization.layout import Layout
from tests import oracle


@pytest.fixture
def model():
    backends.load("numpy")
    inner = models.Sequential([layers.Input((8,)), layers.Dense(3, activation="relu", name="i1"), layers.Dense(8, name="i2")], name="inner")
    a = layers.Input((8,), name="a")
    b = layers.Dense(8, activation="relu", name="d1")(a)
    x = layers.Add(name="add")([layers.Dense(8, name="d2")(inner(b)), b])
    made = models.Model(a, [layers.Dense(1, name="out")(x), layers.Concatenate(name="cat")([x, a])], name="m")
    inner.trainable = False
    return made


def crossed(layout, sizes, edges):
    """(box, arrow) pairs where a straight piece of an arrow runs through a box that it neither leaves nor enters."""
    found = []
    for (start, end), route in zip(edges, layout.routes, strict=True):
        for (x0, y0), (x1, y1) in itertools.pairwise(route):
            for i, ((x, y), (w, h)) in enumerate(zip(layout.centres, sizes, strict=True)):
                inside = min(x0, x1) < x + w / 2 - 1e-6 and max(x0, x1) > x - w / 2 + 1e-6 and min(y0, y1) < y + h / 2 - 1e-6 and max(y0, y1) > y - h / 2 + 1e-6
                if inside:
                    found.append((i, (start, end)))
    return found


@st.composite
def graphs(draw):
    count = draw(st.integers(1, 14))
    edges = [(a, b) for b in range(1, count) for a in sorted(draw(st.sets(st.integers(0, b - 1), max_size=3)))]
    sizes = draw(st.lists(st.tuples(st.floats(0.3, 3), st.floats(0.2, 1)), min_size=count, max_size=count))
    return sizes, edges, draw(st.sampled_from(["TB", "BT", "LR", "RL"]))


@settings(max_examples=80, deadline=None)
@given(graphs())
def test_arrows_keep_clear_of_boxes(graph):
    sizes, edges, direction = graph
    layout = Layout(sizes, edges, direction)
    assert not crossed(layout, sizes, edges)
    for (x, y), (w, h) in zip(layout.centres, sizes, strict=True):
        assert w / 2 <= x <= layout.width - w / 2 and h / 2 <= y <= layout.height - h / 2
    for i, j in itertools.combinations(range(len(sizes)), 2):
        (x, y), (u, v) = layout.centres[i], layout.centres[j]
        assert abs(x - u) >= (sizes[i][0] + sizes[j][0]) / 2 - 1e-6 or abs(y - v) >= (sizes[i][1] + sizes[j][1]) / 2 - 1e-6
    for (start, end), route in zip(edges, layout.routes, strict=True):  # from the border of one to the border of the other, forwards
        along = {"TB": lambda p: -p[1], "BT": lambda p: p[1], "LR": lambda p: p[0], "RL": lambda p: -p[0]}[direction]
        size = 1 if direction in ("TB", "BT") else 0
        np.testing.assert_allclose(along(route[0]), along(layout.centres[start]) + sizes[start][size] / 2, atol=1e-6)
        np.testing.assert_allclose(along(route[-1]), along(layout.centres[end]) - sizes[end][size] / 2, atol=1e-6)
        assert all(along(p) <= along(q) + 1e-6 for p, q in itertools.pairwise(route))


def texts(figure):
    return [text.get_text() for text in figure.axes[0].texts]


def test_plot_model(model, tmp_path):
    plain = texts(utils.plot_model(model, tmp_path / "a.png"))
    assert sorted(plain) == sorted(["InputLayer", "Dense", "Sequential", "Dense", "Add", "Dense", "Concatenate"])
    options = {"show_shapes": True, "show_dtype": True, "show_layer_names": True, "show_layer_activations": True, "show_trainable": True}
    shown = "\n".join(texts(utils.plot_model(model, tmp_path / "b.svg", expand_nested=True, **options)))
    for text in ("inner", "i1 (Dense)", "activation: relu", "in: (None, 8)", "out: (None, 3)", "dtype: float32", "frozen", "trained", "add (Add)"):
        assert text in shown
    assert "inner (Sequential)" not in shown
    for i, (rankdir, splines) in enumerate([("LR", "ortho"), ("BT", "polyline"), ("RL", "curved"), ("TB", "spline")]):
        figure = utils.plot_model(model, tmp_path / f"{i}.png", rankdir=rankdir, splines=splines, dpi=50)
        width, height = figure.get_size_inches()
        assert (width > height) == (rankdir in ("LR", "RL")) and (tmp_path / f"{i}.png").stat().st_size > 1000
    assert utils.plot_model(model, None) and len(list(tmp_path.iterdir())) == 6
    utils.plot_model(model, tmp_path / "a.dot")
    assert (tmp_path / "a.dot").read_text().startswith('digraph "m" {')


def test_dot(model):
    dot = utils.model_to_dot(model, show_shapes=True, expand_nested=True)
    text = dot.to_string()
    assert text.count(" -> ") == 9 and text.count("{") == text.count("}") == 2
    for piece in ('subgraph "cluster_inner" {', 'label="d1 (Dense)\\nin: (None, 8)\\nout: (None, 8)"', "rankdir=TB;", "splines=ortho;"):
        assert piece in text
    assert utils.model_to_dot(model, subgraph=True).to_string().startswith('subgraph "cluster_m" {')
    plain = utils.model_to_dot(model, show_layer_names=False, rankdir="LR").to_string()
    assert 'label="Sequential"' in plain and "rankdir=LR;" in plain
    model.name = 'say "hi"\\'
    assert utils.model_to_dot(model).to_string().startswith('digraph "say \\"hi\\"\\\\" {')


def test_dot_to_files(model, tmp_path, monkeypatch):
    dot = utils.model_to_dot(model)
    dot.write(tmp_path / "a.dot")
    assert (tmp_path / "a.dot").read_text() == str(dot)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(FileNotFoundError, match="needs its program 'dot', which is not installed"):
        dot.create(format="svg")
    program = tmp_path / "dot"
    program.write_text('#!/bin/sh\nread -r first\necho "$1 $first"\n')
    program.chmod(0o755)
    assert dot.create(format="svg") == b'-Tsvg digraph "m" {\n'
    program.write_text("#!/bin/sh\necho broken >&2\nexit 1\n")
    with pytest.raises(ValueError, match="Graphviz: broken"):
        dot.create()


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"rankdir": "XY"}, "rankdir must be one of"),
        ({"splines": "round"}, "splines must be one of"),
        ({"dpi": 0}, "dpi must be"),
        ({"model": "m"}, "wanted a model"),
        ({"nope": 1}, "no argument 'nope'"),
        ({"model": models.Sequential([layers.Dense(2)])}, "is not built yet"),
    ],
)
@pytest.mark.parametrize("function", [utils.plot_model, utils.model_to_dot])
def test_wrong_arguments(function, arguments, message, model, tmp_path):
    with pytest.raises((ValueError, TypeError), match=message) as caught:
        function(**{"model": model, **({"to_file": tmp_path / "a.png"} if function is utils.plot_model else {}), **arguments})
    assert function.__name__ in str(caught.value) and not (tmp_path / "a.png").exists()


def test_wrong_file(model):
    with pytest.raises(ValueError, match=r"to_file must end in .*; got 'a.bmp'"):
        utils.plot_model(model, "a.bmp")


# -- summary ----------------------------------------------------------------------------------------------------------------------------

_SUMMARY = """
keras.utils.clear_session()
inner = keras.Sequential([keras.layers.Input((8,)), keras.layers.Dense(3, name="i1"), keras.layers.Dense(8, name="i2")], name="inner")
a = keras.layers.Input((8,), name="a")
b = keras.layers.Dense(8, name="d1")(a)
x = keras.layers.Add(name="add")([keras.layers.Dense(8, name="d2")(inner(b)), b])
model = keras.Model(a, keras.layers.Dense(1, name="out")(x), name="m")
inner.trainable = False
for i, given in enumerate(cases):
    lines = []
    try:
        model.summary(print_fn=lambda text, line_break=False: lines.append(text), **given)
        out[str(i)] = "\\n".join(lines)
    except ValueError:
        out[str(i)] = "ValueError"
"""
CASES = [
    {"line_length": 120},
    {"line_length": 120, "expand_nested": True},
    {"line_length": 130, "show_trainable": True, "expand_nested": True},
    {"line_length": 120, "layer_range": ["d1", "d2"]},
    {"line_length": 120, "layer_range": ["d.", "add"]},
    {"line_length": 120, "layer_range": ["d1", "nothing"]},
    {"line_length": 120, "positions": [0.3, 0.6, 0.7, 1.0]},
]


def cells(text):
    """The rows of a table, without the column of FLOPs and where a nested layer is connected, which Keras does not say."""
    rows = [[cell.strip() for cell in line.strip("│┃").split("│" if "│" in line else "┃")] for line in text.splitlines() if "│" in line or "┃" in line]
    drop = rows[0].index("FLOPs") if "FLOPs" in rows[0] else None
    return [["" if row[0].startswith("└") and "[0]" in cell else cell for k, cell in enumerate(row) if k != drop] for row in rows]


def test_summary_as_keras():
    import cornu

    backends.load("numpy")
    values = {"keras": cornu, "cases": CASES, "out": {}}
    exec(_SUMMARY, values)
    wanted = oracle.run("import os\nos.environ['COLUMNS'] = '140'\n" + _SUMMARY + "\ndel os.environ['COLUMNS']", cases=CASES)  # Keras cuts what is wider
    for i, arguments in enumerate(CASES):
        ours, theirs = values["out"][str(i)], wanted[str(i)]
        if theirs == "ValueError":
            assert ours == theirs, arguments
            continue
        assert [["" if row[0].startswith("└") and cell == "-" and k == 3 else cell for k, cell in enumerate(row)] for row in cells(theirs)] == cells(ours), (
            arguments
        )
        totals = [line.strip() for line in theirs.splitlines() if "params:" in line]
        assert totals == [line.strip() for line in ours.splitlines() if "params:" in line]


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"line_length": 10}, "line_length must be an integer of at least 40"),
        ({"positions": [0.5, 0.3, 0.6, 1]}, "positions must be a list that rises"),
        ({"positions": [0.5, 1]}, "positions must say where each of the 5 columns ends"),
        ({"layer_range": "d1"}, "layer_range must be the names of two layers"),
        ({"print_fn": "out"}, "print_fn must be a function"),
    ],
)
def test_wrong_summaries(arguments, message, model):
    with pytest.raises(ValueError, match=message):
        model.summary(**arguments)
