"""The public surface: as it is written down, and with Keras's arguments."""

from tools import names_table, public_names


def test_as_written():
    written = public_names.FILE.read_text(encoding="utf-8").splitlines()
    found = public_names.lines()
    more, less = sorted(set(found) - set(written)), sorted(set(written) - set(found))
    assert not more and not less, f"The public names changed; see what `python tools/public_names.py --write` does.\nnew: {more}\ngone: {less}"


def test_names_arguments_and_members_of_keras():
    """What Keras's user writes is here: its names, its arguments in their order with their defaults, the members of its classes."""
    found, stale = names_table.holes(names_table.of_keras())
    assert not found, "\n" + "\n".join(f"{name}: {text}" for name, text in sorted(found.items()))
    assert not stale, "tests/gaps/ lists what is mended: " + ", ".join(stale)
