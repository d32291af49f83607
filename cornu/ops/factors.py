"""Factors of general matrices: eigenvalues, triangles with pivots."""

from cornu.backends import protocol as p
from cornu.ops.dispatch import op
from cornu.ops.products import _matrix


@op
def eig(x):
    """Eigenvalues and eigenvectors (columns of length 1) of square matrices, complex and in no certain order.

    The vectors are determined up to a phase; gradients are those of functions that do not depend on it. For symmetric matrices: `eigh`.

    Shape: (..., n, n) -> (..., n), (..., n, n).

    >>> sorted(ops.real(ops.eig([[2.0, 1.0], [0.0, 3.0]])[0]).tolist())
    [2.0, 3.0]
    """
    return tuple(p.eig(_matrix(x, "eig", True)))


@op
def lu_factor(x):
    """The factors L (lower triangular, ones on its diagonal) and U (upper triangular) of a matrix whose rows were swapped, so that none divides by little.

    Shape: (..., m, n) -> (..., m, n), (..., min(m, n)).

    Returns:
        One matrix with U on and above its diagonal and L below, and as int32 for each row the one that it was swapped with, one after another.

    >>> factors, pivots = ops.lu_factor([[1.0, 2.0], [4.0, 4.0]])
    >>> factors.tolist(), pivots.tolist()
    ([[4.0, 4.0], [0.25, 1.0]], [1, 1])

    Source: Golub and Van Loan, "Matrix Computations", 4th edition, 2013, section 3.4.
    """
    return tuple(p.lu(_matrix(x, "lu_factor")))
