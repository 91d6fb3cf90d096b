"""Hugging Face's tokenizer.json for byte-level BPE, read and written.

The format has many options (normalizers, prefixes, templates ...).  Each that would
change the ids and is not implemented is refused by name: a wrong id is worse than none.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from lmbook.errors import InputError
from lmbook.text.bpe_training import Merge
from lmbook.text.tokenizer_base import listed, refuse_unless

BYTE_LEVEL = {
    "type": "ByteLevel",
    "add_prefix_space": False,
    "trim_offsets": True,
    "use_regex": True,
}
# For each option of the model the values that mean: not in use.
MODEL_OPTIONS: dict[str, tuple[object, ...]] = {
    "dropout": (None, 0),
    "continuing_subword_prefix": (None, ""),
    "end_of_word_suffix": (None, ""),
    "byte_fallback": (None, False),
    "ignore_merges": (None, False),
}
# All bytes are known: what is said of unknown characters has no effect.
NO_EFFECT = {"type", "vocab", "merges", "unk_token", "fuse_unk"}
Parts = tuple[list[str], list[Merge], dict[str, int]]  # names, merges, special tokens


def to_json(
    names: Sequence[str],
    merges: Iterable[tuple[str, str]],
    special_tokens: Mapping[str, int],
) -> dict[str, Any]:
    """The file's content; ``names`` are the tokens as the file writes them."""
    options = ("single_word", "lstrip", "rstrip", "normalized")
    off = dict.fromkeys(options, False)
    added = [
        {"id": i, "content": token, **off, "special": True}
        for token, i in special_tokens.items()
    ]
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": sorted(added, key=lambda token: token["id"]),
        "normalizer": None,
        "pre_tokenizer": BYTE_LEVEL,
        "post_processor": None,
        "decoder": BYTE_LEVEL,
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": None,
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": False,
            "byte_fallback": False,
            "ignore_merges": False,
            "vocab": {name: i for i, name in enumerate(names)},
            "merges": list(merges),
        },
    }


def from_json(content: dict[str, Any]) -> Parts:
    """What the file describes; ``InputError`` names a field that is not implemented."""
    for field in ("truncation", "padding", "normalizer"):
        refuse_unless(field, content.get(field), [None])
    pre = _object(content, "pre_tokenizer")
    refuse_unless("pre_tokenizer.type", pre.get("type"), ["ByteLevel"])
    for option, default in (("add_prefix_space", True), ("use_regex", True)):
        wanted = BYTE_LEVEL[option]
        found = pre.get(option, default)
        refuse_unless(f"pre_tokenizer.{option}", found, [wanted])
    for field in ("post_processor", "decoder"):  # neither changes the ids
        if content.get(field) is not None:
            found = _object(content, field).get("type")
            refuse_unless(f"{field}.type", found, ["ByteLevel"])
    model = content["model"]
    refuse_unless("model.type", model.get("type", "BPE"), ["BPE"])
    for option in model.keys() - NO_EFFECT:
        accepted = MODEL_OPTIONS.get(option, [None])
        refuse_unless(f"model.{option}", model[option], accepted)
    names = listed(model.get("vocab"))
    special = _added(content.get("added_tokens") or [], names)
    return names, _merges(model.get("merges"), names), special


def _object(content: dict[str, Any], field: str) -> dict[str, Any]:
    found = content.get(field)
    if not isinstance(found, dict):
        raise InputError(f"field {field!r} is missing; accepted: type ByteLevel")
    return found


def _added(added: object, names: list[str]) -> dict[str, int]:
    """Ids of the tokens to be found whole in a text; ``names`` grows by new ones."""
    if not isinstance(added, list) or not all(isinstance(t, dict) for t in added):
        raise InputError("field 'added_tokens' must be a list of objects")
    special: dict[str, int] = {}
    id_of = {name: i for i, name in enumerate(names)}
    for place, token in enumerate(added):
        field = f"added_tokens[{place}]"
        for option in ("single_word", "lstrip", "rstrip"):
            refuse_unless(f"{field}.{option}", token.get(option, False), [False])
        # The library looks for tokens that are not normalized first.
        normalized = added[0].get("normalized")
        refuse_unless(f"{field}.normalized", token.get("normalized"), [normalized])
        name = token.get("content")
        if not isinstance(name, str) or not name or name in special:
            raise InputError(f"field '{field}.content' must be a text of its own")
        if name not in id_of:
            id_of[name] = len(names)
            names.append(name)
        refuse_unless(f"{field}.id", token.get("id"), [id_of[name]])
        special[name] = id_of[name]
    return special


def _merges(merges: object, names: list[str]) -> list[Merge]:
    """Merges as ids, from a list of pairs or, as older files have it, of "a b"."""
    if not isinstance(merges, list):
        raise InputError("field 'model.merges' must be a list")
    id_of = {name: i for i, name in enumerate(names)}
    found = []
    for place, merge in enumerate(merges):
        pair = merge.split(" ") if isinstance(merge, str) else merge
        field = f"field 'model.merges[{place}]'"
        if not (
            isinstance(pair, list)
            and len(pair) == 2
            and all(isinstance(part, str) for part in pair)
        ):
            raise InputError(f"{field} must be two tokens, got {merge!r}")
        for token in (*pair, "".join(pair)):
            if token not in id_of:
                raise InputError(f"{field} needs {token!r}, which is not in the vocab")
        left, right = pair
        found.append(Merge(id_of[left], id_of[right], id_of[left + right], 0))
    return found
