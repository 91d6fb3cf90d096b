"""What a command prints at its end: a table to read, or one line of JSON."""

import json
from collections.abc import Callable
from typing import Any

import click

from lmbook import metrics


def json_option(function: Callable) -> Callable:
    """Give a command the option ``--json``, its argument ``as_json``."""
    help = "End with one line of JSON on standard output."
    return click.option("--json", "as_json", is_flag=True, help=help)(function)


def losses(
    prefix: str, nats: float, num_tokens: int, num_chars: int
) -> dict[str, float]:
    """One mean loss, ``nats`` a token, in every unit of :mod:`lmbook.metrics`."""
    counts = num_tokens, num_chars
    return {
        f"{prefix}nats_per_token": nats,
        f"{prefix}nats_per_char": metrics.nats_per_char(nats, *counts),
        f"{prefix}bits_per_char": metrics.bits_per_char(nats, *counts),
        f"{prefix}perplexity": metrics.perplexity(nats),
    }


def report(values: dict[str, Any], as_json: bool) -> None:
    """Print ``values`` on standard output."""
    if as_json:
        click.echo(json.dumps(values))
        return
    for name, value in values.items():
        shown = f"{value:.4g}" if isinstance(value, float) else value
        click.echo(f"{name.replace('_', ' '):22} {shown}")
