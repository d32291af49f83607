"""Rules that change weights by their gradients."""

from cornu import registry
from cornu.optimizers import schedules as schedules
from cornu.optimizers.adafactor import Adafactor
from cornu.optimizers.adagrad import Adadelta, Adagrad
from cornu.optimizers.adam import Adam, Adamax, AdamW, Lamb, Lion, Nadam
from cornu.optimizers.ftrl import Ftrl
from cornu.optimizers.loss_scale import LossScaleOptimizer
from cornu.optimizers.optimizer import Optimizer
from cornu.optimizers.rmsprop import RMSprop
from cornu.optimizers.sgd import SGD

get, serialize, deserialize = registry.namespace(
    "optimizers",
    [SGD, RMSprop, Adagrad, Adadelta, Adam, AdamW, Adamax, Nadam, Ftrl, Lion, Lamb, Adafactor, LossScaleOptimizer],
    base=Optimizer,
)
