"""Where progress is shown: a live line in a terminal, one display in a notebook, plain lines in a pipe or file."""

import os
import re
import shutil
import sys

_STYLE = re.compile(r"\x1b\[\d*m")


def in_notebook():
    """Whether this is a kernel with a display: Jupyter, Colab, VS Code. Asks IPython only where it is loaded already."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None and hasattr(ipython, "get_ipython") else None
    return shell is not None and hasattr(shell, "kernel")


def screen():
    """The screen for standard output as it is now."""
    if in_notebook():
        return Notebook()
    out = sys.stdout
    live = hasattr(out, "isatty") and out.isatty() and os.environ.get("TERM") != "dumb"
    return Terminal() if live else Plain()


class Plain:
    """Finished lines alone, without control characters."""

    live = False

    def show(self, line):
        """Show an unfinished line, in place of the one before."""

    def end(self, line):
        """Show a finished line; what follows begins below it."""
        self.text(_STYLE.sub("", line))

    def text(self, line):
        """A line that stays, such as `Epoch 1/5`."""
        print(line, flush=True)


class Terminal(Plain):
    """One line that is written over. It is cut at the window's width, since a line that wraps cannot be taken back."""

    live = True

    def show(self, line):
        self._over(_cut(line, shutil.get_terminal_size().columns - 1))
        sys.stdout.flush()

    def end(self, line):
        self._over(line)
        print(flush=True)

    def _over(self, line):
        line = _STYLE.sub("", line) if os.environ.get("NO_COLOR") else line
        encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
        sys.stdout.write("\r" + line.encode(encoding, "replace").decode(encoding) + "\x1b[K")


class Notebook(Plain):
    """One display, updated; lines that stay are above the unfinished one."""

    live = True
    _LINES = 400  # older ones are dropped: every update sends the whole text

    def __init__(self):
        self._stay, self._handle = [], None

    def show(self, line):
        data = {"text/plain": "\n".join([*self._stay[-self._LINES :], *([_STYLE.sub("", line)] if line else [])])}
        display = sys.modules["IPython"].display.display
        if self._handle is None:
            self._handle = display(data, raw=True, display_id=True)
        else:
            self._handle.update(data, raw=True)

    def end(self, line):
        self.text(_STYLE.sub("", line))

    def text(self, line):
        self._stay.append(line)
        self.show("")


def _cut(line, width):
    """`line` with at most `width` visible characters."""
    if len(_STYLE.sub("", line)) <= width:
        return line
    out, room = [], width
    for part in re.split(r"(\x1b\[\d*m)", line):
        if _STYLE.fullmatch(part):
            out.append(part)
        else:
            out.append(part[:room])
            room -= len(out[-1])
    return "".join(out)
