"""``lmbook evaluate``: what a saved model makes of a text."""

from pathlib import Path

import click

from lmbook.cli.report import json_option, losses, report
from lmbook.errors import InputError


@click.command()
@click.argument("folder", type=Path)
@click.option("--text", required=True, help="A corpus by name, or a UTF-8 file.")
@click.option("--part", help="Of a corpus in parts, one: train, valid or test.")
@click.option("--device", default="auto", help="auto, cpu, cuda or mps.")
@json_option
def evaluate(
    folder: Path, text: str, part: str | None, device: str, as_json: bool
) -> None:
    """Measure the model in FOLDER on a whole text.

    The text is read once from beginning to end, the model's memory carried on.  Of
    words the model does not know it predicts only that they are unknown: compare
    losses where the share of unknown words is the same.
    """
    from lmbook.text.corpora import read_corpus
    from lmbook.training import best_device, checkpoint
    from lmbook.training import evaluate as nats_per_token

    chosen = best_device(device)
    model, tokenizer = checkpoint.load(folder)
    content = read_corpus(text) if part is None else _read_part(text, part)
    ids = tokenizer.encode_array(content)
    nats = nats_per_token(model.to(chosen), ids)
    shown = losses("", nats, len(ids), len(content))
    unknown = tokenizer.unknown_share(ids)
    report({**shown, "tokens": len(ids), "unknown_share": unknown}, as_json)


def _read_part(text: str, part: str) -> str:
    from lmbook.text.corpora import read_splits

    parts = read_splits(text)
    if parts is None:
        raise InputError(f"{text} is not published in parts; leave out --part")
    if part not in parts:
        raise InputError(f"part must be one of {', '.join(parts)}; got {part!r}")
    return parts[part]
