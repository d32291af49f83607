"""What engines share whose arrays lie in the memory of the processor alone."""

import contextlib


def block(tree):
    pass


def devices():
    return ["cpu"]


def only_cpu(backend):
    """The `device_scope` of the backend of that name: arrays are where they are whatever the scope; only `"cpu"` is known."""

    @contextlib.contextmanager
    def device_scope(name):
        if name.lower().partition(":")[0] != "cpu":
            raise ValueError(f"device: the {backend} backend has only 'cpu'; got {name!r}.")
        yield

    return device_scope
