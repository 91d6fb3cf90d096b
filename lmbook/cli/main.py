"""Entry point of the command line: the subcommands, and what their errors look like.

An error of the user's is one line on standard error and exit code 2; Ctrl-C is 130.
Every module of a subcommand imports torch inside its function, so that help is quick.
"""

import os
import sys
import warnings
from typing import NoReturn, TextIO

import click

from lmbook.cli.data import data
from lmbook.cli.evaluate import evaluate
from lmbook.cli.facts import facts
from lmbook.cli.generate import generate
from lmbook.cli.train import train
from lmbook.errors import InputError

COMMANDS = (train, generate, evaluate, data, facts)


@click.group(
    context_settings={"help_option_names": ["-h", "--help"]}, no_args_is_help=False
)
@click.version_option(package_name="lmbook")
def cli() -> None:
    """Train and run the language models of the book; its texts, its facts."""


for command in COMMANDS:
    cli.add_command(command)


def main() -> None:
    """Run the command line and leave with its exit code."""
    warnings.showwarning = _one_line
    try:
        code = cli.main(standalone_mode=False)
    except click.exceptions.Abort:
        _fail("interrupted", 130)
    except click.ClickException as error:
        _fail(error.format_message(), 2)
    except (InputError, ArithmeticError) as error:
        _fail(str(error), 2)
    except OSError as error:
        _fail(f"{error.filename or 'output'}: {error.strerror}", 2)
    sys.exit(code)


def _fail(message: str, code: int) -> NoReturn:
    _say(message)
    sys.exit(code)


def _say(message: str) -> None:
    """One line on standard error; of the processes under torchrun the first speaks."""
    if os.environ.get("LOCAL_RANK", "0") == "0":
        click.echo("lmbook: " + " ".join(message.split()), err=True)


def _one_line(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    _say(f"warning: {message}")
