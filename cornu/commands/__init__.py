"""The command `cornu`, also `python -m cornu`: a module of this package for each subcommand.

Such a module has its line of help as its docstring, `arguments(parser)` that declares its arguments, and `run(given)` that does it and gives the
exit status.
"""

import argparse

from cornu.commands import doctor
from cornu.version import __version__

COMMANDS = {"doctor": doctor}


def main(arguments=None):
    """Run the command line `arguments`, by default that of the process; gives the exit status, 0 where all went well."""
    parser = argparse.ArgumentParser(prog="cornu", description="Keras, written anew.")
    parser.add_argument("--version", action="version", version=f"cornu {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for name, module in COMMANDS.items():
        told = module.__doc__.strip().partition("\n")[0]
        command = commands.add_parser(name, help=told[0].lower() + told[1:].rstrip("."), description=told)
        module.arguments(command)
        command.set_defaults(run=module.run)
    given = parser.parse_args(arguments)
    return given.run(given)
