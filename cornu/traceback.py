"""Errors from the user's own lines: the library's inner frames are left out, unless she asks for them."""

import functools
import os
import threading

from cornu import settings

_HERE = os.path.dirname(os.path.abspath(__file__)) + os.sep
_ENGINES = tuple(os.sep + "site-packages" + os.sep + name + os.sep for name in ("jax", "jaxlib", "numpy"))
_depth = threading.local()


def _is_inner(code):
    return code.co_filename.startswith(_HERE) or any(engine in code.co_filename for engine in _ENGINES)


def user_lines(function):
    """Make errors that leave `function` show the user's frames alone."""

    @functools.wraps(function)
    def call(*args, **kwargs):
        if getattr(_depth, "inside", False) or not settings.get("traceback_filtering"):
            return function(*args, **kwargs)
        _depth.inside = True
        try:
            return function(*args, **kwargs)
        except Exception as error:
            raise error.with_traceback(_filtered(error.__traceback__)) from error.__cause__
        finally:
            _depth.inside = False

    return call


def _filtered(traceback):
    """The chain of frames without those of the library and of the engines."""
    kept = []
    while traceback is not None:
        if not _is_inner(traceback.tb_frame.f_code):
            kept.append(traceback)
        traceback = traceback.tb_next
    chain = None
    for frame in reversed(kept):
        frame.tb_next = chain
        chain = frame
    return chain
