"""What all optimizers share: rates, configs, names, files, weights left out, users' own rules, names of older Kerases, errors."""

import numpy as np
import pytest

from cornu import backends, ops, optimizers
from cornu.optimizers import schedules
from cornu.variable import Variable
from tests import oracle

NAMES = ["SGD", "RMSprop", "Adagrad", "Adadelta", "Adam", "AdamW", "Adamax", "Nadam", "Ftrl", "Lion", "Lamb", "Adafactor", "Muon", "ScheduleFreeAdamW"]


def weight(values=(1.0, -2.0), name="kernel", dtype="float32"):
    return Variable(np.array(values, "float32"), name=name, dtype=dtype)


@pytest.mark.parametrize("name", NAMES)
def test_config(name):
    optimizer = getattr(optimizers, name)()
    config = optimizers.serialize(optimizer)
    assert config == oracle.run("out['config'] = keras.optimizers.serialize(getattr(keras.optimizers, name)())", backend="numpy", name=name)["config"]
    again = optimizers.get(config)
    assert type(again) is type(optimizer) and again.get_config() == optimizer.get_config()
    assert type(optimizers.get(name.lower())) is type(optimizers.get(name)) is type(optimizer)


def test_rate(backend):
    optimizer = optimizers.Adam()
    assert isinstance(optimizer.learning_rate, Variable) and float(optimizer.learning_rate) == pytest.approx(0.001)
    optimizer.learning_rate = 0.3
    assert float(optimizer.learning_rate) == optimizer.get_config()["learning_rate"] == pytest.approx(0.3)
    optimizer.learning_rate.assign(0.2)
    assert float(optimizer.lr) == pytest.approx(0.2)
    optimizer.lr = 0.1
    assert float(optimizer.learning_rate) == pytest.approx(0.1)
    optimizer.learning_rate = schedules.ExponentialDecay(0.4, 10, 0.5)
    assert float(optimizer.learning_rate) == pytest.approx(0.4) and [v.name for v in optimizer.variables] == ["iteration"]
    with pytest.raises(TypeError, match="made with a schedule"):
        optimizer.learning_rate = 0.1


def test_rate_from_a_function_and_from_a_variable(backend):
    rates = iter([0.5, 0.25])
    optimizer, w = optimizers.SGD(lambda: next(rates)), weight([0.0])
    optimizer.apply([np.ones(1)], [w])
    optimizer.apply([np.ones(1)], [w])
    assert w.numpy() == [-0.75]
    rate = Variable(0.5)
    optimizer, w = optimizers.SGD(rate), weight([0.0])
    rate.assign(0.25)
    optimizer.apply([np.ones(1)], [w])
    assert w.numpy() == [-0.25]


def test_weights_left_out_of_decay(backend):
    kernel, bias, scale = weight(), weight(name="bias"), weight(name="scale")
    optimizer = optimizers.SGD(0.1, weight_decay=0.5)
    optimizer.exclude_from_weight_decay(var_list=[scale], var_names=["bi.s"])
    optimizer.apply([np.zeros(2)] * 3, [kernel, bias, scale])
    np.testing.assert_allclose(kernel.numpy(), [0.95, -1.9], rtol=1e-6)
    assert bias.numpy().tolist() == scale.numpy().tolist() == [1, -2]


def test_averages_become_the_weights_at_the_end(backend):
    optimizer, w = optimizers.SGD(0.1, use_ema=True, ema_momentum=0.5), weight([1.0, 2.0])
    optimizer.apply([np.ones(2)], [w])
    optimizer.apply([np.ones(2)], [w])
    optimizer.finalize_variable_values([w])
    np.testing.assert_allclose(w.numpy(), [0.85, 1.85], rtol=1e-6)


def test_state_goes_through_a_file(backend):
    first, w = optimizers.Adam(0.1, amsgrad=True), weight()
    for _ in range(3):
        first.apply([np.array([1.0, -0.5])], [w])
    store = {}
    first.save_own_variables(store)
    assert list(store) == [str(index) for index in range(5)]
    second, v = optimizers.Adam(0.5, amsgrad=True), weight(w.numpy())
    second.build([v])
    second.load_own_variables(store)
    for optimizer, variable in ((first, w), (second, v)):
        optimizer.apply([np.array([0.3, 0.1])], [variable])
    np.testing.assert_array_equal(v.numpy(), w.numpy())
    with pytest.warns(UserWarning, match="state is not loaded"):
        optimizers.Adam().load_own_variables(store)
    second.set_weights([np.zeros(variable.shape) for variable in second.variables])
    assert int(second.iterations) == 0


def test_a_weight_without_gradient_stays(backend):
    optimizer, kernel, bias = optimizers.Adam(), weight(), weight(name="bias")
    with pytest.warns(UserWarning, match="no gradient came for bias"):
        optimizer.apply_gradients(zip([np.ones(2), None], [kernel, bias]))
    assert bias.numpy().tolist() == [1, -2] and int(optimizer.iterations) == 1


def test_a_weight_whose_gradient_is_its_value(backend):
    optimizer, kernel, scale = optimizers.Adam(), weight(), weight(name="scale")
    scale.overwrite_with_gradient = True
    optimizer.apply([np.ones(2), np.array([7.0, 8.0])], [kernel, scale])
    assert scale.numpy().tolist() == [7, 8] and [v.name for v in optimizer.variables][2:] == ["kernel_momentum", "kernel_velocity"]


@pytest.mark.parametrize("name", NAMES)
def test_half_precision_weights_stay_so(name, backend):
    optimizer, w = getattr(optimizers, name)(), weight(dtype="bfloat16")
    for _ in range(3):
        optimizer.apply([np.array([1.0, -1.0], "float32")], [w])
    assert backends.kind(w.value) == "bfloat16" and np.isfinite(w.numpy().astype("float32")).all()


class Momentum(optimizers.Optimizer):
    """Written as Keras's documentation shows."""

    def __init__(self, learning_rate=0.1, momentum=0.5, name="Momentum", **kwargs):
        super().__init__(learning_rate, name=name, **kwargs)
        self.momentum = momentum

    def build(self, variables):
        if self.built:
            return
        super().build(variables)
        self.moves = [self.add_variable_from_reference(variable, name="move") for variable in variables]

    def update_step(self, gradient, variable, learning_rate):
        move = self.moves[self._get_variable_index(variable)]
        self.assign(move, ops.subtract(ops.multiply(move, self.momentum), ops.multiply(gradient, learning_rate)))
        self.assign_add(variable, move)

    def get_config(self):
        return {**super().get_config(), "momentum": self.momentum}


def test_a_user_s_rule(backend):
    own, ours = Momentum(clipnorm=1.0, gradient_accumulation_steps=2), optimizers.SGD(0.1, 0.5, clipnorm=1.0, gradient_accumulation_steps=2)
    v, w = weight(), weight()
    for _ in range(5):
        own.apply([np.array([1.0, 2.0])], [v])
        ours.apply([np.array([1.0, 2.0])], [w])
    np.testing.assert_allclose(v.numpy(), w.numpy(), rtol=1e-6)
    assert Momentum.from_config(own.get_config()).get_config() == own.get_config()
    assert [variable.path for variable in own.variables][-1] == "Momentum/kernel_move"


def test_names_of_older_kerases(backend):
    optimizer = optimizers.SGD(lr=0.1, momentum=0.0, decay=0.5, nesterov=False)
    w = weight([0.0])
    for _ in range(3):
        optimizer.apply([np.ones(1)], [w])
    np.testing.assert_allclose(w.numpy(), [-0.1 - 0.1 / 1.5 - 0.1 / 2], rtol=1e-6)
    assert float(optimizer.lr) == pytest.approx(0.1)
    assert optimizers.SGD.from_config(optimizer.get_config()).decay == 0.5
    assert optimizers.RMSprop(lr=0.001, rho=0.9, epsilon=None, decay=0.0).epsilon == 1e-7
    assert "decay" not in optimizers.RMSprop(lr=0.001, decay=0.0).get_config()
    assert optimizers.Nadam(lr=0.002, schedule_decay=0.004).beta_1 == 0.9
    assert float(optimizers.get({"class_name": "Adam", "config": {"lr": 0.5, "decay": 0.0, "epsilon": 1e-8}}).learning_rate) == 0.5


LOSS_SCALE = """
inner = keras.optimizers.SGD(0.1, momentum=0.9, name="inner")
optimizer = keras.optimizers.LossScaleOptimizer(inner, initial_scale=8.0, dynamic_growth_steps=3, name="outer")
weight = keras.Variable(np.array([1.0, 2.0], "float32"), name="kernel")
optimizer.build([weight])
state, values, out["steps"] = [v.value for v in optimizer.variables], [weight.value], []
for gradient in gradients:
    values, state = optimizer.stateless_apply(state, [ops.convert_to_tensor(gradient)], values)
    out["steps"].append([np.array(x) for x in (*values, *state)])
out["paths"], out["config"] = [v.path for v in optimizer.variables], keras.optimizers.serialize(optimizer)
"""


def test_loss_scale(backend):
    gradients = [np.array([8.0, np.inf if i == 4 else 8.0 * i], "float32") for i in range(9)]
    wanted = oracle.run(LOSS_SCALE, gradients=gradients)
    optimizer = optimizers.LossScaleOptimizer(optimizers.SGD(0.1, momentum=0.9, name="inner"), initial_scale=8.0, dynamic_growth_steps=3, name="outer")
    w = weight([1.0, 2.0])
    for gradient, step in zip(gradients, wanted["steps"]):
        optimizer.apply([gradient], [w])
        for variable, value in zip([w, *optimizer.variables], step, strict=True):
            np.testing.assert_allclose(variable.numpy(), value, rtol=1e-6, err_msg=variable.path)
    assert [variable.path for variable in optimizer.variables] == wanted["paths"]
    assert optimizers.serialize(optimizer) == wanted["config"]
    assert optimizers.get(optimizers.serialize(optimizer)).get_config() == optimizer.get_config()
    optimizer.learning_rate = 0.5
    assert float(optimizer.inner_optimizer.learning_rate) == 0.5 and int(optimizer.iterations) == 8


def built():
    optimizer = optimizers.Adam(name="adam")
    optimizer.build([weight()])
    return optimizer


ERRORS = [
    (lambda: optimizers.get("adan"), "no optimizer 'adan'. Did you mean 'adam'"),
    (lambda: optimizers.get(5), "Wanted an optimizer"),
    (lambda: optimizers.Adam(foo=1), "Adam has no argument 'foo'"),
    (lambda: optimizers.Adam(beta1=0.5), "Did you mean 'beta_1'"),
    (lambda: optimizers.Adam(learning_rate="fast"), "learning_rate must be a number, a schedule"),
    (lambda: optimizers.Adam(clipnorm=1, clipvalue=1), "only one of clipnorm"),
    (lambda: optimizers.Adam(clipnorm=-1.0), "clipnorm must be a number above 0"),
    (lambda: optimizers.Adam(use_ema=True, ema_momentum=2.0), "from 0 to 1; got 2.0"),
    (lambda: optimizers.Adam(gradient_accumulation_steps=1), "integer of at least 2"),
    (lambda: optimizers.SGD(momentum=2.0), "from 0 to 1; got 2.0"),
    (lambda: optimizers.AdamW(weight_decay=None), "weight_decay must be a number"),
    (lambda: optimizers.Ftrl(learning_rate_power=1.0), "of at most 0"),
    (lambda: optimizers.Adam(name="adam").apply([np.ones(2)]), "'adam' has not been built"),
    (lambda: built().apply([np.ones(2)], [weight(name="other")]), "does not know 'other'"),
    (lambda: built().apply([np.ones(2)] * 2), "a gradient for each of 1 weights; got 2"),
    (lambda: built().apply([None]), "no weight has a gradient"),
    (lambda: built().apply([np.ones(3)]), r"shape \(2,\)"),
    (lambda: built().stateless_apply([0], [np.ones(2)], [np.ones(2)]), "must hold 4 values; got 1"),
    (lambda: optimizers.Adam().stateless_apply([], [np.ones(2)], [np.ones(2)]), "has not been built"),
    (lambda: built().set_weights([1]), "has 4 variables; got 1"),
    (lambda: optimizers.Optimizer(0.1).apply([np.ones(2)], [weight()]), "an optimizer defines `update"),
]


@pytest.mark.parametrize("mistake, message", ERRORS)
def test_errors(mistake, message):
    with pytest.raises((ValueError, TypeError), match=message):
        mistake()
