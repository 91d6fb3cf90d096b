"""``lmbook evaluate``: what a saved model makes of a text."""

from pathlib import Path

import click

from lmbook.cli.report import json_option, losses, report
from lmbook.errors import InputError


@click.command()
@click.argument("folder", type=Path)
@click.option("--text", required=True, help="A corpus by name, or a UTF-8 file.")
@click.option("--part", help="Of a corpus in parts, one: train, valid or test.")
@click.option("--trained-on", help="A corpus or file: how much of it is in the text.")
@click.option("--device", default="auto", help="auto, cpu, cuda or mps.")
@json_option
def evaluate(
    folder: Path,
    text: str,
    part: str | None,
    trained_on: str | None,
    device: str,
    as_json: bool,
) -> None:
    """Measure the model in FOLDER, ours or a published one, on a whole text.

    The text is read once from beginning to end, the model's memory carried on.  Of
    words the model does not know it predicts only that they are unknown: compare
    losses where the share of unknown words is the same.  With --trained-on, also the
    share of the text's runs of 13 words that stand in that one word for word, and of
    its words that lie in such a run: what may have been remembered.
    """
    from lmbook.applications import TextGenerator
    from lmbook.text.corpora import read_corpus
    from lmbook.training import best_device
    from lmbook.training import evaluate as nats_per_token

    chosen = best_device(device)
    generator = TextGenerator.load(folder)
    model, tokenizer = generator.model, generator.tokenizer
    content = read_corpus(text) if part is None else _read_part(text, part)
    ids = tokenizer.encode_array(content)
    nats = nats_per_token(model.to(chosen), ids)
    shown = losses("", nats, len(ids), len(content))
    unknown = tokenizer.unknown_share(ids)
    shown |= {"tokens": len(ids), "unknown_share": unknown}
    if trained_on is not None:
        shown |= _overlap(trained_on, content)
    report(shown, as_json)


def _overlap(trained_on: str, content: str) -> dict[str, float]:
    """How much of a text stands in what a model was trained on."""
    from lmbook.text.corpora import read_corpus, read_splits
    from lmbook.text.overlap import overlap_of_texts

    parts = read_splits(trained_on)
    train = parts["train"] if parts else read_corpus(trained_on)
    found = overlap_of_texts(train, content)
    return {
        "overlap_of_runs": found.ngram_share,
        "overlap_of_words": found.token_share,
        "longest_overlap": found.longest[0].length if found.longest else 0,
    }


def _read_part(text: str, part: str) -> str:
    from lmbook.text.corpora import read_splits

    parts = read_splits(text)
    if parts is None:
        raise InputError(f"{text} is not published in parts; leave out --part")
    if part not in parts:
        raise InputError(f"part must be one of {', '.join(parts)}; got {part!r}")
    return parts[part]
