"""Sequences; see `utils`."""

from cornu.utils.sequences import pad_sequences as pad_sequences

__all__ = ["pad_sequences"]
