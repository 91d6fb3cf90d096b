"""The command line: ``lmbook train``, ``lmbook evaluate`` and ``lmbook data``.

An error of the user's is one line on standard error and exit code 2; Ctrl-C is 130.
"""

import dataclasses
import json
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, TextIO

import click

from lmbook.errors import InputError


def main() -> None:
    """Entry point of the ``lmbook`` command."""
    warnings.showwarning = _one_line
    try:
        sys.exit(cli.main(standalone_mode=False))
    except click.UsageError as error:
        _fail(error.format_message(), 2)
    except click.exceptions.Abort:
        _fail("interrupted", 130)
    except click.ClickException as error:
        _fail(error.format_message(), 2)
    except (InputError, ArithmeticError) as error:
        _fail(str(error), 2)
    except OSError as error:
        _fail(f"{error.filename or 'output'}: {error.strerror}", 2)


def _fail(message: str, code: int) -> None:
    click.echo(f"lmbook: {message}", err=True)
    sys.exit(code)


def _one_line(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    click.echo(f"lmbook: warning: {message}", err=True)


def _as_json(function: Callable) -> Callable:
    help = "End with one line of JSON on standard output."
    return click.option("--json", "as_json", is_flag=True, help=help)(function)


def _describe_presets() -> str:
    from lmbook.training.presets import PRESETS

    return "\n".join(f"  {name}: {preset.about}" for name, preset in PRESETS.items())


class _WithPresets(click.Command):
    """A command whose help ends with the presets, read only when help is asked."""

    def format_epilog(self, _: click.Context, formatter: click.HelpFormatter) -> None:
        formatter.write("\nPresets:\n" + _describe_presets() + "\n")


@click.group(
    context_settings={"help_option_names": ["-h", "--help"]}, no_args_is_help=False
)
@click.version_option(package_name="lmbook")
def cli() -> None:
    """Train and evaluate the language models of the book, and fetch their texts."""


@cli.command(cls=_WithPresets)
@click.option("--preset", "preset_name", default="article", help="See below.")
@click.option("--text", required=True, help="A corpus by name, or a UTF-8 file.")
@click.option("--out", required=True, type=Path, help="New folder for the model.")
@click.option("--valid", type=Path, help="Validation file [part of --text].")
@click.option("--vocab-size", type=int, help="Words at most [the preset's].")
@click.option("--epochs", type=int, help="Times through the text [the preset's].")
@click.option("--max-minutes", type=float, help="Stop after this long.")
@click.option("--max-steps", type=int, help="Stop after this many batches.")
@click.option("--device", default="auto", help="auto, cpu, cuda or mps.")
@click.option("--seed", type=click.IntRange(0, 2**63 - 1), default=0, show_default=True)
@_as_json
def train(
    preset_name: str,
    text: str,
    out: Path,
    valid: Path | None,
    vocab_size: int | None,
    seed: int,
    as_json: bool,
    **limits: Any,
) -> None:
    """Train a language model on a text and save it in a new folder."""
    from lmbook.text import load_data
    from lmbook.training import checkpoint, presets, trainer

    chosen = presets.preset(preset_name)
    given = {name: value for name, value in limits.items() if value is not None}
    if {"max_steps", "max_minutes"} & set(given):  # they replace the preset's limit
        given.setdefault("epochs", None)
    config = dataclasses.replace(chosen.train, **given)
    trainer.best_device(config.device)
    data = load_data(
        text,
        chosen.model.vocab_size if vocab_size is None else vocab_size,
        test=0.0,
        valid_path=valid,
        at_most=vocab_size is None,
    )
    trainer.cut(data, config)
    folder = checkpoint.require_new_folder(out)
    sizes = dataclasses.replace(chosen.model, vocab_size=len(data.tokenizer))
    model = presets.new_model(sizes, seed)
    history = trainer.train(model, data, config)
    checkpoint.save(folder, model, data.tokenizer.vocabulary, history)
    last = history.last
    _report(
        {
            "preset": preset_name,
            "seed": seed,
            "parameters": sizes.num_parameters,
            "vocab_size": sizes.vocab_size,
            **_losses(
                "valid_", last["valid_nats"], data.valid, data.num_chars["valid"]
            ),
            "valid_unknown_share": data.unknown_share("valid"),
            "steps": last["step"],
            "seconds": last["seconds"],
            "tokens_per_second": last["tokens_per_second"],
            "out": str(folder),
        },
        as_json,
    )


@cli.command()
@click.argument("folder", type=Path)
@click.option("--text", required=True, help="A corpus by name, or a UTF-8 file.")
@_as_json
def evaluate(folder: Path, text: str, as_json: bool) -> None:
    """Measure a saved model on a whole text, its memory carried from end to end."""
    from lmbook.text import split_words
    from lmbook.text.corpora import read_corpus
    from lmbook.training import checkpoint, trainer

    model, vocabulary = checkpoint.load(folder)
    content = read_corpus(text)
    ids = vocabulary.encode(split_words(content))
    nats = trainer.evaluate(model, ids)
    unknown = float((ids == vocabulary.unknown_id).mean())
    losses = _losses("", nats, ids, len(content))
    _report({**losses, "tokens": len(ids), "unknown_share": unknown}, as_json)


@cli.command()
@click.argument("name", required=False)
@_as_json
def data(name: str | None, as_json: bool) -> None:
    """List the corpora, or fetch the one called NAME and say where it lies.

    LMBOOK_DATA names the folder that keeps what is fetched, LMBOOK_MIRROR a folder or
    an address to take it from.
    """
    from lmbook.text import corpora

    if name is not None:
        characters = len(corpora.read_corpus(name))
        paths = [str(path) for path in corpora.files(name)]
        if as_json:
            _report({"name": name, "paths": paths, "characters": characters}, True)
            return
        for path in paths or ["(made from installed packages)"]:
            click.echo(path)
        click.echo(f"{characters:,} characters")
        return
    listed = corpora.listing()
    if as_json:
        _report({"corpora": listed}, True)
        return
    for row in listed:
        size = f"{row['bytes'] / 1e6:.1f} MB" if row["bytes"] else "-"
        columns = f"{row['name']:17} {row['status']:15} {size:>8}  {row['licence']:19}"
        click.echo(f"{columns} {row['about']}")


def _losses(prefix: str, nats: float, ids: Any, num_chars: int) -> dict[str, float]:
    from lmbook import metrics

    per_char = metrics.nats_per_char(nats, len(ids), num_chars)
    return {
        f"{prefix}nats_per_token": nats,
        f"{prefix}nats_per_char": per_char,
        f"{prefix}perplexity": metrics.perplexity(nats),
    }


def _report(values: dict[str, Any], as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(values))
        return
    for name, value in values.items():
        shown = f"{value:.4g}" if isinstance(value, float) else value
        click.echo(f"{name.replace('_', ' '):22} {shown}")
