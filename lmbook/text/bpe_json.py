"""Hugging Face's tokenizer.json for byte-level BPE, read and written."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from lmbook.errors import InputError
from lmbook.text.bpe_training import Merge
from lmbook.text.tokenizer_base import layout, listed, refuse_unless

BYTE_LEVEL = {
    "type": "ByteLevel",
    "add_prefix_space": False,
    "trim_offsets": True,
    "use_regex": True,
}
# Options of the model that GPT-2 does not use, as a file writes that.
OPTIONS: dict[str, object] = {
    **{"dropout": None, "unk_token": None, "fuse_unk": False},
    **{"continuing_subword_prefix": None, "end_of_word_suffix": None},
    **{"byte_fallback": False, "ignore_merges": False},
}
ACCEPTED: dict[str, Sequence[object]] = {
    **dict.fromkeys(["truncation", "padding", "normalizer"], (None,)),
    "pre_tokenizer.type": ("ByteLevel",),
    "pre_tokenizer.add_prefix_space": (False,),
    "pre_tokenizer.use_regex": (None, True),
    # ByteLevel's part in these concerns offsets and text, not ids.
    **dict.fromkeys(["post_processor.type", "decoder.type"], (None, "ByteLevel")),
    "model.type": (None, "BPE"),
}
# All bytes are known, so what is said of unknown characters has no effect.
NO_EFFECT = {"type", "vocab", "merges", "unk_token", "fuse_unk"}
UNUSED = (None, False, 0, "")


def to_json(
    names: Sequence[str],
    merges: Iterable[Merge],
    special_tokens: Mapping[str, int],
) -> dict[str, Any]:
    """The file's content; ``names`` are the tokens as the file writes them."""
    off = dict.fromkeys(["single_word", "lstrip", "rstrip", "normalized"], False)
    return layout(
        added_tokens=[
            {"id": special_tokens[token], "content": token, **off, "special": True}
            for token in sorted(special_tokens, key=special_tokens.__getitem__)
        ],
        pre_tokenizer=BYTE_LEVEL,
        decoder=BYTE_LEVEL,
        model={
            **{"type": "BPE", **OPTIONS},
            "vocab": {name: i for i, name in enumerate(names)},
            "merges": [(names[merge.left], names[merge.right]) for merge in merges],
        },
    )


def from_json(content: dict[str, Any]) -> tuple[list[str], list[Merge], dict[str, int]]:
    """Names, merges and special tokens; ``InputError`` names what is not accepted."""
    model = content["model"]
    options = dict.fromkeys(
        [f"model.{name}" for name in model.keys() - NO_EFFECT], UNUSED
    )
    refuse_unless(ACCEPTED | options, content)
    names = listed(model.get("vocab"))
    id_of = {name: i for i, name in enumerate(names)}
    special = _special_tokens(content.get("added_tokens") or [], id_of)
    return list(id_of), _merges(model.get("merges"), id_of), special


def _special_tokens(added: object, id_of: dict[str, int]) -> dict[str, int]:
    """Ids of the tokens to be found whole in a text; new ones go to ``id_of``."""
    if not isinstance(added, list):
        raise InputError("field 'added_tokens' must be a list")
    special: dict[str, int] = {}
    for place, token in enumerate(added):
        field = f"added_tokens[{place}]"
        name = token.get("content") if isinstance(token, dict) else None
        if not isinstance(name, str) or not name or name in special:
            raise InputError(f"field '{field}.content' must be a text of its own")
        special[name] = id_of.setdefault(name, len(id_of))
        accepted: dict[str, Sequence[object]] = {
            **dict.fromkeys(["single_word", "lstrip", "rstrip"], (None, False)),
            # The library looks for those that are not normalized first.
            "normalized": (added[0].get("normalized"),),
            "id": (special[name],),
        }
        accepted = {f"{field}.{option}": accepted[option] for option in accepted}
        refuse_unless(accepted, {field: token})
    return special


def _merges(merges: object, id_of: Mapping[str, int]) -> list[Merge]:
    """Merges as ids, from a list of pairs or, as older files have it, of "a b"."""
    if not isinstance(merges, list):
        raise InputError("field 'model.merges' must be a list")
    found = []
    for place, merge in enumerate(merges):
        field = f"field 'model.merges[{place}]'"
        match merge.split(" ") if isinstance(merge, str) else merge:
            case [str(left), str(right)]:
                for name in (left, right, left + right):
                    if name not in id_of:
                        raise InputError(f"{field} needs {name!r}, not in model.vocab")
                found.append(Merge(id_of[left], id_of[right], id_of[left + right], 0))
            case _:
                raise InputError(f"{field} must be two tokens, got {merge!r}")
    return found
