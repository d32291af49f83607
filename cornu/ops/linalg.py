"""Linear algebra, under the name that Keras also gives it."""

from cornu.ops.dispatch import OPS

_NAMES = """
cholesky cholesky_inverse det eig eigh inv jvp lstsq lu_factor matrix_rank norm pinv qr solve solve_triangular svd
"""
globals().update({name: OPS[name] for name in _NAMES.split()})
