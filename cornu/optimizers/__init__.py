"""Rules that change weights by their gradients."""

from cornu import registry
from cornu.optimizers import legacy as legacy
from cornu.optimizers import schedules as schedules
from cornu.optimizers.adafactor import Adafactor
from cornu.optimizers.adagrad import Adadelta, Adagrad
from cornu.optimizers.adam import Adam, Adamax, AdamW, Lamb, Lion, Nadam
from cornu.optimizers.ftrl import Ftrl
from cornu.optimizers.loss_scale import LossScaleOptimizer
from cornu.optimizers.multi import MultiOptimizer
from cornu.optimizers.multi import OptimizerMap as OptimizerMap
from cornu.optimizers.muon import Muon
from cornu.optimizers.optimizer import Optimizer
from cornu.optimizers.rmsprop import RMSprop
from cornu.optimizers.schedule_free import ScheduleFreeAdamW
from cornu.optimizers.sgd import SGD

get, _serialize, deserialize = registry.namespace(
    "optimizers",
    [SGD, RMSprop, Adagrad, Adadelta, Adam, AdamW, Adamax, Nadam, Ftrl, Lion, Lamb, Adafactor, Muon, ScheduleFreeAdamW, LossScaleOptimizer, MultiOptimizer],
    base=Optimizer,
)


def serialize(optimizer):
    """The config of an optimizer, as files hold it."""
    return _serialize(optimizer)
