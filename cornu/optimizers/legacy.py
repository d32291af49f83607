"""The names of Keras 2.11 to 2.15 for its older optimizers: the rules are today's, which take the older arguments (`lr`, `decay`) too."""

from cornu.optimizers.adagrad import Adagrad as Adagrad
from cornu.optimizers.adam import Adam as Adam
from cornu.optimizers.ftrl import Ftrl as Ftrl
from cornu.optimizers.optimizer import Optimizer as Optimizer
from cornu.optimizers.rmsprop import RMSprop as RMSprop
from cornu.optimizers.sgd import SGD as SGD

__all__ = ["Adagrad", "Adam", "Ftrl", "Optimizer", "RMSprop", "SGD"]
