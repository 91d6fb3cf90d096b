"""``lmbook generate``: a saved model goes on with a text."""

import json
import sys
from pathlib import Path
from typing import Any

import click

from lmbook.errors import InputError


@click.command()
@click.argument("folder", type=Path, required=False)
@click.option("--prompt", default="", help="Text to go on with; - reads it from stdin.")
@click.option("--length", default=50, show_default=True, help="New tokens.")
@click.option("--temperature", type=float, help="0: always the likeliest.  [0.8]")
@click.option("--top-k", type=int, help="Draw from the K likeliest tokens.")
@click.option("--top-p", type=float, help="From the fewest that have probability P.")
@click.option(
    "--min-p", type=float, help="From those with P times the likeliest's.  [0.1]"
)
@click.option("--repetition-penalty", type=float, help="Above 1: repeat less.")
@click.option("--beams", default=1, show_default=True, help="Above 1: beam search.")
@click.option(
    "--seed", default=0, show_default=True, help="Another seed, another text."
)
@click.option("--stop", multiple=True, help="End before this text; may be repeated.")
@click.option("--json", "as_json", is_flag=True, help="One line of JSON, not a stream.")
def generate(
    folder: Path | None,
    prompt: str,
    length: int,
    beams: int,
    seed: int,
    stop: tuple[str, ...],
    as_json: bool,
    **options: Any,
) -> None:
    """Go on with a text, with the model in FOLDER (without one: the book's own).

    Prompt and new text are written to standard output as they are made; with --json
    they are the fields "prompt" and "text" of one object.
    """
    from lmbook.applications import TextGenerator

    if prompt == "-":
        prompt = _standard_input()
    given = {name: value for name, value in options.items() if value is not None}
    given |= {"beams": beams, "seed": seed, "stop": stop}
    generator = TextGenerator.load(folder) if folder else TextGenerator.default()
    if as_json:
        text = generator.generate_text(prompt, length, **given)
        click.echo(json.dumps({"prompt": prompt, "text": text}, ensure_ascii=False))
        return
    pieces = generator.stream(prompt, length, **given)
    try:
        _write(prompt)
        for piece in pieces:
            _write(piece)
        _write("\n")
    except KeyboardInterrupt:  # what was written stays
        _write("\n")
        raise SystemExit(130) from None


def _write(text: str) -> None:
    """At once, for who looks on."""
    click.echo(text, nl=False)
    sys.stdout.flush()


def _standard_input() -> str:
    """All of it, less the line end that a shell or an editor has put last."""
    data = sys.stdin.buffer.read()
    try:
        return data.decode("utf-8").removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError as error:
        raise InputError(
            f"the prompt on standard input is not UTF-8: byte {error.start}"
        ) from None
