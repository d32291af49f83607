"""Keras's `mixed_precision` namespace: computing in 16 bits with weights in 32."""

from cornu.dtype_policies import DTypePolicy as DTypePolicy
from cornu.dtype_policies import dtype_policy as dtype_policy
from cornu.dtype_policies import set_dtype_policy as set_dtype_policy
from cornu.optimizers import LossScaleOptimizer as LossScaleOptimizer

Policy, global_policy, set_global_policy = DTypePolicy, dtype_policy, set_dtype_policy

__all__ = ["DTypePolicy", "LossScaleOptimizer", "Policy", "dtype_policy", "global_policy", "set_dtype_policy", "set_global_policy"]
