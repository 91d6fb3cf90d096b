"""A trained model in a folder: weights, configuration, words, and what was measured.

``model.safetensors`` holds the weights, ``config.json`` the sizes,
``vocabulary.json`` the words, ``metrics.jsonl`` one record an evaluation.  Nothing
in it is code, so loading one runs none.
"""

import json
import tempfile
from dataclasses import asdict
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from lmbook.errors import InputError
from lmbook.files import atomic_write
from lmbook.models.lstm import LSTMConfig, LSTMLanguageModel
from lmbook.text import Vocabulary
from lmbook.training.trainer import History

WEIGHTS, CONFIG, WORDS, METRICS = (
    "model.safetensors",
    "config.json",
    "vocabulary.json",
    "metrics.jsonl",
)


def require_new_folder(folder: str | Path) -> Path:
    """Make ``folder`` if need be; ``InputError`` unless it is empty and writable.

    Called before training, so that hours of it are not lost at the end.
    """
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
        occupied = any(folder.iterdir())
    except OSError as error:
        raise InputError(f"cannot write to folder {folder}: {error.strerror}") from None
    if occupied:
        raise InputError(f"folder {folder} is not empty; choose another")
    return folder


def save(
    folder: str | Path,
    model: LSTMLanguageModel,
    vocabulary: Vocabulary,
    history: History,
) -> None:
    """Write the four files; the weights come last, so that they imply the others."""
    folder = Path(folder)
    texts = {
        CONFIG: json.dumps(asdict(model.config), indent=2) + "\n",
        METRICS: "".join(json.dumps(r) + "\n" for r in history.records),
    }
    for name, text in texts.items():
        with atomic_write(folder / name) as temporary:
            temporary.write_text(text, "utf-8")
    vocabulary.save(folder / WORDS)
    with atomic_write(folder / WEIGHTS) as temporary:
        weights = {k: v.contiguous().cpu() for k, v in model.state_dict().items()}
        save_file(weights, temporary)


def load(folder: str | Path) -> tuple[LSTMLanguageModel, Vocabulary]:
    """The model and vocabulary that :func:`save` wrote; the model is on the CPU.

    Raises ``InputError`` naming the file that is missing, damaged, or does not fit
    the others.
    """
    folder = Path(folder)
    for name in (CONFIG, WORDS, WEIGHTS):
        if not (folder / name).is_file():
            raise InputError(f"{folder} holds no trained model: {name} is missing")
    try:
        config = LSTMConfig(**json.loads((folder / CONFIG).read_text("utf-8")))
        vocabulary = Vocabulary.load(folder / WORDS)
        model = LSTMLanguageModel(config)
        model.load_state_dict(load_file(folder / WEIGHTS))
    except OSError as error:
        raise InputError(f"cannot read {error.filename}: {error.strerror}") from None
    except (ValueError, TypeError, RuntimeError, SafetensorError) as error:
        reason = " ".join(str(error).split())[:200]
        raise InputError(f"the model in {folder} is damaged: {reason}") from None
    if len(vocabulary) != config.vocab_size:
        raise InputError(
            f"the model in {folder} is damaged: {len(vocabulary):,} words in {WORDS}, "
            f"vocab_size {config.vocab_size:,} in {CONFIG}"
        )
    return model.eval(), vocabulary
