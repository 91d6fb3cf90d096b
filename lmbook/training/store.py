"""Models that are trained once and kept: ``trained`` loads one, or trains it; so does
``kept`` with models that are no language models.

They lie in the folder that ``LMBOOK_MODELS`` names, else in ``_models`` of the book's
folder, else (where lmbook is installed without the book) in the user's cache.  A name
there ends in a hash of all that the model depends on: the code of lmbook that makes
it, sizes and training, the text, the seed, the versions of the numerical packages.
So a change of any makes a new model, and the old one stays for who goes back.
"""

import dataclasses
import hashlib
import importlib.metadata
import json
import os
import shutil
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import lmbook
from lmbook.errors import InputError
from lmbook.files import locked
from lmbook.models.language_model import LanguageModel, sizes_of
from lmbook.text import LanguageData, load_data
from lmbook.text.corpora import OFFLINE
from lmbook.text.downloads import cache_folder
from lmbook.text.tokenizers import AnyTokenizer
from lmbook.training import checkpoint
from lmbook.training.presets import Preset, new_model, preset
from lmbook.training.progress import History
from lmbook.training.run_folder import RunFolder
from lmbook.training.trainer import train

PACKAGE = Path(lmbook.__file__).parent
CODE = ("models", "text", "training")  # what makes a model, with their data files
# numpy and scipy are also the source of a text, as is the language pack.
VERSIONS = ("numpy", "scipy", "torch", "jupyterlab-language-pack-zh-CN")
# Configuration that does not change the weights (beyond rounding).
NOT_HASHED = ("device", "save_minutes")
Kept = TypeVar("Kept")


class Trained(NamedTuple):
    """A model in evaluation mode on the CPU, its tokenizer, how it was trained."""

    model: LanguageModel
    tokenizer: AnyTokenizer
    history: History


def trained(
    setup: str | Preset, text: str | Path | LanguageData, seed: int = 0
) -> Trained:
    """The model of a preset (or of its name) trained on a text: stored, or made now.

    ``text`` is a corpus by name or a file, whose last tenth is for validation and
    whose vocabulary is the preset's at most, or a ``LanguageData`` as it is.
    ``seed`` draws the first weights and dropout's masks.

    Training shows its progress.  If it is interrupted, the next call goes on from
    there; if another process is just training the same model, this one waits for it.
    A damaged model is made again.
    """
    chosen = preset(setup) if isinstance(setup, str) else setup
    config = dataclasses.replace(chosen.train, seed=seed)
    chosen = dataclasses.replace(chosen, train=config)
    if not isinstance(text, LanguageData) and str(text) not in OFFLINE:
        text = _read(chosen, text)
    about = {
        "model": sizes_of(chosen.model),
        "level": chosen.level,
        "train": dataclasses.asdict(config),
        # An offline corpus is what code and versions make of its name.
        "data": checkpoint.fingerprint(text)
        if isinstance(text, LanguageData)
        else str(text),
    }
    name = setup if isinstance(setup, str) else "own"
    return kept(name, about, _stored, lambda folder: _train(folder, chosen, text))


def kept(
    name: str,
    about: dict[str, Any],
    load: Callable[[Path], Kept | None],
    make: Callable[[Path], None],
) -> Kept:
    """What ``load`` finds in the folder of this name and of all that is told ``about``
    it; ``make`` writes it first if ``load`` finds None there.  ``about`` is content
    for JSON; its "train", a training configuration, must be there, and counts but for
    what leaves the weights as they are.

    If another process is just making the same, this one waits for it.
    """
    folder = models_folder() / f"{name}-{_key(about)[:16]}"
    found = load(folder)
    if found is None:
        with _held(folder):
            found = load(folder)  # made while this process waited?
            if found is None:
                print(f"lmbook: training {name}, kept in {folder}", file=sys.stderr)
                make(folder)
                found = load(folder)
    if found is None:
        raise InputError(f"the model in {folder} is damaged: delete the folder")
    return found


def models_folder() -> Path:
    """Where trained models are kept."""
    given = os.environ.get("LMBOOK_MODELS")
    if given:
        return Path(given).expanduser()
    book = PACKAGE.parent
    return (
        book / "_models" if (book / "_toc.yml").is_file() else cache_folder() / "models"
    )


def _stored(folder: Path) -> Trained | None:
    """The finished model of a folder; None if it is absent or damaged."""
    try:
        if checkpoint.read_config(folder) is None:
            return None
        model, tokenizer = checkpoint.load(folder)
        return Trained(model, tokenizer, History(checkpoint.read_records(folder)))
    except (InputError, OSError):
        return None


@contextmanager
def _held(folder: Path) -> Iterator[None]:
    """Keep other processes from making the same model; wait for one that does."""
    with ExitStack() as stack:
        try:
            folder.parent.mkdir(parents=True, exist_ok=True)
            lock = locked(folder.with_suffix(".lock"), str(folder), wait=True)
            stack.enter_context(lock)
        except OSError as error:
            raise InputError(
                f"cannot write to {folder.parent}: {error.strerror}; "
                "set LMBOOK_MODELS to a folder that can be written to"
            ) from None
        yield


def _train(folder: Path, chosen: Preset, text: str | Path | LanguageData) -> None:
    data = text if isinstance(text, LanguageData) else _read(chosen, text)
    sizes = dataclasses.replace(chosen.model, vocab_size=len(data.tokenizer))
    settings = {
        "model": sizes_of(sizes),
        "train": dataclasses.asdict(chosen.train),
        "data": checkpoint.fingerprint(data),
    }
    run = RunFolder(folder, settings, data.tokenizer, resume=folder.exists())
    with ExitStack() as stack:
        try:
            stack.enter_context(run)
        except InputError as error:
            warnings.warn(f"{error}; it is made again", stacklevel=3)
            shutil.rmtree(folder)
            run = RunFolder(folder, settings, data.tokenizer)
            stack.enter_context(run)
        train(new_model(sizes, chosen.train.seed), data, chosen.train, folder=run)


def _read(chosen: Preset, text: str | Path) -> LanguageData:
    return load_data(
        text, chosen.model.vocab_size, level=chosen.level, test=0.0, at_most=True
    )


def _key(about: dict[str, Any]) -> str:
    """SHA-256 of what a model depends on: what is told of it, code and versions."""
    train = {k: v for k, v in about["train"].items() if k not in NOT_HASHED}
    versions = {name: _version(name) for name in VERSIONS}
    content = {"code": _code_hashes(), "versions": versions, **about, "train": train}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _code_hashes() -> dict[str, str]:
    """The hash of every file that has a part in making a model."""
    found = {}
    for part in CODE:
        for path in sorted((PACKAGE / part).rglob("*")):
            if path.suffix in (".py", ".csv"):
                content = path.read_bytes().replace(b"\r\n", b"\n")
                name = path.relative_to(PACKAGE).as_posix()
                found[name] = hashlib.sha256(content).hexdigest()
    return found


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "none"
