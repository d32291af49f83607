"""Models: Sequential, Functional, subclassed; copies of them."""

from cornu.models.cloning import clone_model as clone_model
from cornu.models.cloning import model_from_json as model_from_json
from cornu.models.function import Function as Function
from cornu.models.model import Functional as Functional
from cornu.models.model import Model as Model
from cornu.models.sequential import Sequential as Sequential
from cornu.saving.dispatch import load_model as load_model
from cornu.saving.dispatch import save_model as save_model
