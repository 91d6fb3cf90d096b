"""What the options of ``lmbook train`` come to, for a new run and a resumed one."""

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from lmbook.errors import InputError
from lmbook.models.language_model import ModelConfig, config_from, sizes_of
from lmbook.text import LanguageData, load_data
from lmbook.text.corpora import names
from lmbook.training import TrainConfig, best_device
from lmbook.training.checkpoint import fingerprint
from lmbook.training.presets import preset
from lmbook.training.run import check

DEFAULTS = {"preset": "article", "seed": 0}
LIMITS = {"epochs", "max_steps", "max_minutes"}
# These change no result, or are compared by what the files hold.
NOT_COMPARED = ("device", "save_minutes", "text", "valid")


@dataclass(frozen=True)
class Plan:
    """A run to be: the text and how it is cut, the model, how it is trained."""

    options: dict[str, Any]  # as they were given
    reading: dict[str, Any]  # arguments of load_data
    model: ModelConfig  # its vocab_size is the most that it may be
    train: TrainConfig

    @classmethod
    def new(cls, given: dict[str, Any]) -> Self:
        """From the options given and, for all others, the preset."""
        options = {**DEFAULTS, **given}
        chosen = preset(options["preset"])
        reading = {
            "name_or_path": options["text"],
            "valid_path": options.get("valid"),
            "level": options.get("level", chosen.level),
            "vocab_size": options.get("vocab_size", chosen.model.vocab_size),
            "at_most": "vocab_size" not in options,
        }
        changed = _of_training(options)
        if LIMITS & set(changed):  # they replace the preset's limits
            changed = {**dict.fromkeys(LIMITS), **changed}
        train = dataclasses.replace(chosen.train, **changed)
        return cls(options, reading, chosen.model, train)

    @classmethod
    def resumed(
        cls, folder: Path, before: dict[str, Any], given: dict[str, Any]
    ) -> Self:
        """From what a run was begun with; ``InputError`` names what contradicts it."""
        require_same_options(folder, before["options"], given)
        reading = dict(before["reading"])
        for option, argument in (("text", "name_or_path"), ("valid", "valid_path")):
            reading[argument] = given.get(option, reading[argument])
        train = TrainConfig(**{**before["train"], **_of_training(given)})
        return cls(before["options"], reading, config_from(before["model"]), train)

    def read(self) -> tuple[LanguageData, dict[str, Any]]:
        """The text, and all that the run's result depends on, as JSON."""
        best_device(self.train.device)
        data = load_data(**self.reading, test=0.0)
        check(data, self.train)
        sizes = dataclasses.replace(self.model, vocab_size=len(data.tokenizer))
        reading = {**self.reading}
        for name in ("name_or_path", "valid_path"):
            reading[name] = _anywhere(reading[name])
        return data, {
            "options": self.options,
            "reading": reading,
            "model": sizes_of(sizes),
            "train": dataclasses.asdict(self.train),
            "data": fingerprint(data),
            "valid": {
                "tokens": len(data.valid),
                "chars": data.num_chars["valid"],
                "unknown_share": data.unknown_share("valid"),
            },
        }


def require_same_options(
    folder: Path, before: dict[str, Any], given: dict[str, Any]
) -> None:
    """``InputError`` names an option that a run was not begun with."""
    for name, value in given.items():
        if name not in NOT_COMPARED and before.get(name) != value:
            began = f"with {before[name]}" if name in before else "without it"
            raise InputError(
                f"--{name.replace('_', '-')} is {value}, but the run in {folder} began "
                f"{began}, and a run keeps its settings to the end"
            )


def _of_training(options: dict[str, Any]) -> dict[str, Any]:
    names = {field.name for field in dataclasses.fields(TrainConfig)}
    return {name: value for name, value in options.items() if name in names}


def _anywhere(text: str | None) -> str | None:
    """A file under a name that holds in every folder; a corpus under its own."""
    if text is None or text in names():
        return text
    return str(Path(text).absolute())
