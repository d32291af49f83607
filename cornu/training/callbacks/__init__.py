"""What happens around training, besides the steps: stopping, saving, rates, records, the progress bar."""

from cornu.training.callbacks.backup import BackupAndRestore as BackupAndRestore
from cornu.training.callbacks.callback import Callback as Callback
from cornu.training.callbacks.callback import LambdaCallback as LambdaCallback
from cornu.training.callbacks.callback_list import CallbackList as CallbackList
from cornu.training.callbacks.csv_logger import CSVLogger as CSVLogger
from cornu.training.callbacks.early_stopping import EarlyStopping as EarlyStopping
from cornu.training.callbacks.early_stopping import TerminateOnNaN as TerminateOnNaN
from cornu.training.callbacks.history import History as History
from cornu.training.callbacks.learning_rate import LearningRateScheduler as LearningRateScheduler
from cornu.training.callbacks.learning_rate import ReduceLROnPlateau as ReduceLROnPlateau
from cornu.training.callbacks.model_checkpoint import ModelCheckpoint as ModelCheckpoint
from cornu.training.callbacks.orbax import OrbaxCheckpoint as OrbaxCheckpoint
from cornu.training.callbacks.progress import Progbar as Progbar
from cornu.training.callbacks.progress import ProgbarLogger as ProgbarLogger
from cornu.training.callbacks.remote import RemoteMonitor as RemoteMonitor
from cornu.training.callbacks.swap_ema import SwapEMAWeights as SwapEMAWeights
from cornu.training.callbacks.tensorboard import TensorBoard as TensorBoard
