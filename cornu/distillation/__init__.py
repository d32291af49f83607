"""A small model learns from a large one."""

from cornu.distillation.distiller import Distiller
from cornu.distillation.losses import DistillationLoss, FeatureDistillation, LogitsDistillation

__all__ = ["DistillationLoss", "Distiller", "FeatureDistillation", "LogitsDistillation"]
