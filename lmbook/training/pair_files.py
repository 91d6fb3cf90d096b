"""A sequence-to-sequence model in a folder: the files of lmbook.training.checkpoint."""

from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from lmbook.errors import InputError
from lmbook.models.tensor_files import read_tensors
from lmbook.models.translation_model import Seq2Seq, Seq2SeqConfig
from lmbook.text.bpe import BPETokenizer
from lmbook.text.pair_tokens import PairTokenizer
from lmbook.text.pair_words import KIND, PairWords
from lmbook.text.tokenizer_base import read_json
from lmbook.training import checkpoint
from lmbook.training.optimizers import put


def save_pair_model(
    folder: str | Path,
    model: Seq2Seq,
    tokenizer: PairTokenizer,
    records: Iterable[dict[str, Any]] = (),
    **settings: Any,
) -> None:
    """Write weights, configuration, tokenizer and what was measured.

    ``settings`` go into config.json.  Raises ``OSError`` naming the file that could
    not be written.
    """
    Path(folder).mkdir(parents=True, exist_ok=True)
    checkpoint.write_records(folder, records)
    settings["seq2seq"] = asdict(model.config)
    weights = dict(model.named_parameters())
    checkpoint.save_weights(folder, weights, tokenizer, **settings)


def load_pair_model(folder: str | Path) -> tuple[Seq2Seq, PairTokenizer]:
    """The model that :func:`save_pair_model` wrote, on the CPU, and its tokenizer.

    Raises ``InputError`` naming what is missing, damaged, or does not fit the rest.
    """
    folder = Path(folder)
    try:
        content = checkpoint.read_config(folder)
        if content is None:
            raise InputError(f"{folder} holds no model: {checkpoint.CONFIG} is missing")
        weights = read_tensors(folder / checkpoint.WEIGHTS)
        tokenizer = _tokenizer(folder / checkpoint.TOKENIZER)
    except OSError as error:
        raise InputError(f"cannot read {error.filename}: {error.strerror}") from None
    if "seq2seq" not in content:
        raise InputError(f"the model in {folder} is none of sequence to sequence")
    try:
        model = Seq2Seq.seeded(Seq2SeqConfig(**content["seq2seq"]), 0)
        needed = {name: w.shape for name, w in model.named_parameters()}
        if needed != {name: w.shape for name, w in weights.items()}:
            raise InputError("its weights are not those of its configuration")
    except (InputError, TypeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise InputError(f"the model in {folder} is damaged: {reason}") from None
    put(model, weights)
    return model.eval(), tokenizer


def _tokenizer(path: Path) -> PairTokenizer:
    """The tokenizer of a file, of whichever of the two kinds it is."""
    is_words = read_json(path)["model"].get("type") == KIND
    return PairWords.load(path) if is_words else BPETokenizer.load(path)
