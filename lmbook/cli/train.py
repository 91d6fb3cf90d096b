"""``lmbook train``: a model from a text, in a folder that can be gone on with."""

import shlex
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import click

from lmbook.cli.report import json_option, losses, report


class _WithPresets(click.Command):
    """A command whose help ends with the presets, read only when help is asked."""

    def format_epilog(self, _: click.Context, formatter: click.HelpFormatter) -> None:
        from lmbook.training.presets import PRESETS

        lines = (f"  {name}: {preset.about}" for name, preset in PRESETS.items())
        formatter.write("\n".join(["\nPresets:", *lines, ""]))


@click.command(cls=_WithPresets)
@click.option("--preset", help="See below.  [default: article]")
@click.option("--text", help="A corpus by name, or a UTF-8 file.")
@click.option("--out", required=True, type=Path, help="Folder for the model.")
@click.option("--valid", help="Validation file [part of --text].")
@click.option("--level", help="word, char, bpe or tokens [the preset's].")
@click.option("--vocab-size", type=int, help="Tokens at most [the preset's].")
@click.option("--epochs", type=int, help="Times through the text [the preset's].")
@click.option("--max-minutes", type=float, help="Stop after this long.")
@click.option("--max-steps", type=int, help="Stop after this many batches.")
@click.option("--batch-size", type=int, help="Rows of a batch [the preset's].")
@click.option("--learning-rate", type=float, help="At its highest [the preset's].")
@click.option(
    "--precision",
    help="float32; bf16; auto: bf16 on a GPU that has it; fast: on a CPU that has it, "
    "too, if not to the same bits elsewhere [the preset's].",
)
@click.option("--device", help="auto, cpu, cuda or mps.  [default: auto]")
@click.option("--seed", type=click.IntRange(0, 2**63 - 1), help="[default: 0]")
@click.option("--save-minutes", type=float, help="Between checkpoints.  [default: 5]")
@click.option("--resume", is_flag=True, help="Go on with the run in --out.")
@json_option
def train(out: Path, resume: bool, as_json: bool, **options: Any) -> None:
    """Train a language model on a text and save it in a folder.

    A run that was stopped (Ctrl-C, a kill, a power cut) goes on with
    "lmbook train --resume --out FOLDER": from its last checkpoint, with the settings
    it was begun with, to the same weights as if it had not been stopped.
    """
    from lmbook.training.distributed import rank
    from lmbook.training.signals import Interrupted

    given = {name: value for name, value in options.items() if value is not None}
    try:
        values = _train(out, resume, given)
    except Interrupted as stop:
        if rank() == 0:
            click.echo(
                f"lmbook: {stop}; saved, to go on with: "
                f"lmbook train --resume --out {shlex.quote(str(out))}",
                err=True,
            )
        raise SystemExit(stop.exit_code) from None
    if rank() == 0:
        report({**values, "out": str(out)}, as_json)


def _train(out: Path, resume: bool, given: dict[str, Any]) -> dict[str, Any]:
    """Begin a run, or go on with one; return what is to be reported."""
    from lmbook.cli.plan import Plan, require_same_options
    from lmbook.models.language_model import config_from
    from lmbook.training import History, checkpoint, trainer
    from lmbook.training.distributed import rank
    from lmbook.training.presets import new_model
    from lmbook.training.run_files import read_settings
    from lmbook.training.run_folder import RunFolder, require_new

    before = None
    if resume:
        finished = checkpoint.read_config(out)
        if finished is not None:
            require_same_options(out, finished.get("options", {}), given)
            click.echo(f"lmbook: the run in {out} was finished already", err=True)
            return _summary(finished, History(checkpoint.read_records(out)))
        before = read_settings(out)
    elif rank() == 0:
        require_new(out)
    if before is None and "text" not in given:
        missing = f"{out} holds no run to go on with; " if resume else ""
        raise click.UsageError(f"{missing}--text is needed to begin one")

    plan = Plan.resumed(out, before, given) if before else Plan.new(given)
    data, settings = plan.read()
    with ExitStack() as stack:
        folder = None
        if rank() == 0:  # it alone writes
            opened = RunFolder(out, settings, data.tokenizer, resume)
            folder = stack.enter_context(opened)
        model = new_model(config_from(settings["model"]), plan.train.seed)
        history = trainer.train(model, data, plan.train, folder=folder)
    return _summary(settings, history)


def _summary(settings: dict[str, Any], history: Any) -> dict[str, Any]:
    """What a finished run has come to; the losses are those of the weights kept."""
    from lmbook.models.language_model import config_from

    options, valid, last = settings["options"], settings["valid"], history.last
    nats = history.best["valid_nats"]
    return {
        "preset": options["preset"],
        "seed": options["seed"],
        "parameters": config_from(settings["model"]).num_parameters,
        "vocab_size": settings["model"]["vocab_size"],
        **losses("valid_", nats, valid["tokens"], valid["chars"]),
        "valid_unknown_share": valid["unknown_share"],
        "best_step": history.best["step"],
        "steps": last["step"],
        "seconds": last["seconds"],
        "tokens_per_second": last["tokens_per_second"],
    }
