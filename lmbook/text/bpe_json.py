"""Hugging Face's tokenizer.json for byte-level BPE, read and written."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from lmbook.errors import InputError
from lmbook.text.bpe_rules import Rules
from lmbook.text.bpe_training import Merge
from lmbook.text.pretokenization import PATTERNS
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
    **dict.fromkeys(["truncation", "padding"], (None,)),
    "normalizer": (None, {"type": "NFC"}),
    # ByteLevel's part in this concerns text, not ids.
    "decoder.type": (None, "ByteLevel"),
    "model.type": (None, "BPE"),
    "model.ignore_merges": (None, False, True),
}
# Of the steps before BPE, one: GPT-2's; or two: another pattern, then bytes alone.
ONE_STEP: dict[str, Sequence[object]] = {
    "pre_tokenizer.type": ("ByteLevel",),
    "pre_tokenizer.add_prefix_space": (False,),
    "pre_tokenizer.use_regex": (None, True),
}
TWO_STEPS: dict[str, Sequence[object]] = {
    "split.type": ("Split",),
    "split.pattern.Regex": [p.pattern for p in PATTERNS.values()],
    "split.behavior": ("Isolated",),
    "split.invert": (False,),
    "bytes.type": ("ByteLevel",),
    "bytes.add_prefix_space": (False,),
    "bytes.use_regex": (False,),
}
# All bytes are known, so what is said of unknown characters has no effect.
CHECKED = {"type", "ignore_merges"}
NO_EFFECT = {"vocab", "merges", "unk_token", "fuse_unk"}
UNUSED = (None, False, 0, "")


def to_json(
    names: Sequence[str],
    merges: Iterable[Merge],
    special_tokens: Mapping[str, int],
    rules: Rules,
) -> dict[str, Any]:
    """The file's content; ``names`` are the tokens as the file writes them."""
    off = dict.fromkeys(["single_word", "lstrip", "rstrip", "normalized"], False)
    return layout(
        normalizer={"type": "NFC"} if rules.nfc else None,
        added_tokens=[
            {
                **{"id": special_tokens[token], "content": token, **off},
                "special": token not in rules.unmarked,
            }
            for token in sorted(special_tokens, key=special_tokens.__getitem__)
        ],
        pre_tokenizer=_steps(rules.pattern),
        post_processor=_template(rules.begin, special_tokens) if rules.begin else None,
        decoder=BYTE_LEVEL,
        model={
            **{"type": "BPE", **OPTIONS, "ignore_merges": rules.ignore_merges},
            "vocab": {name: i for i, name in enumerate(names)},
            "merges": [(names[merge.left], names[merge.right]) for merge in merges],
        },
    )


def from_json(
    content: dict[str, Any],
) -> tuple[list[str], list[Merge], dict[str, int], Rules]:
    """Names, merges, special tokens and rules; ``InputError`` names what is not
    accepted."""
    model = content["model"]
    options = dict.fromkeys(
        [f"model.{name}" for name in model.keys() - NO_EFFECT - CHECKED], UNUSED
    )
    refuse_unless(ACCEPTED | options, content)
    names = listed(model.get("vocab"))
    id_of = {name: i for i, name in enumerate(names)}
    added = content.get("added_tokens") or []
    nfc = content.get("normalizer") is not None
    special = _special_tokens(added, id_of, nfc)
    rules = Rules(
        pattern=_pattern(content),
        nfc=nfc,
        ignore_merges=bool(model.get("ignore_merges")),
        begin=_begin(content.get("post_processor"), special),
        unmarked=frozenset(t["content"] for t in added if not t.get("special", True)),
    )
    return list(id_of), _merges(model.get("merges"), id_of), special, rules


def _steps(pattern: str) -> dict[str, Any]:
    """The field "pre_tokenizer" for one of the patterns."""
    if pattern == "gpt2":
        return BYTE_LEVEL
    split = {
        "type": "Split",
        "pattern": {"Regex": PATTERNS[pattern].pattern},
        **{"behavior": "Isolated", "invert": False},
    }
    steps = [split, {**BYTE_LEVEL, "use_regex": False}]
    return {"type": "Sequence", "pretokenizers": steps}


def _pattern(content: dict[str, Any]) -> str:
    """The pattern that the field "pre_tokenizer" describes."""
    field = content.get("pre_tokenizer")
    if not isinstance(field, dict) or field.get("type") != "Sequence":
        refuse_unless(ONE_STEP, content)
        return "gpt2"
    match field.get("pretokenizers"):
        case [split, to_bytes]:
            refuse_unless(TWO_STEPS, {"split": split, "bytes": to_bytes})
            regex = split["pattern"]["Regex"]
            return next(name for name, p in PATTERNS.items() if p.pattern == regex)
    raise InputError("field 'pre_tokenizer' must be ByteLevel, or Split and ByteLevel")


def _template(begin: str, special: Mapping[str, int]) -> dict[str, Any]:
    """The field "post_processor" that puts a special token before a text."""
    before = {"SpecialToken": {"id": begin, "type_id": 0}}
    one, other = ({"Sequence": {"id": name, "type_id": 0}} for name in "AB")
    named = {"id": begin, "ids": [special[begin]], "tokens": [begin]}
    return {
        "type": "TemplateProcessing",
        "single": [before, one],
        "pair": [before, one, before, other],
        "special_tokens": {begin: named},
    }


def _begin(field: object, special: Mapping[str, int]) -> str | None:
    """The one token that the field "post_processor" puts before a text, if any.

    ByteLevel's part in it concerns offsets, not ids.
    """
    match field:
        case None | {"type": "ByteLevel"}:
            return None
        case {"type": "Sequence", "processors": [{"type": "ByteLevel"}, step]}:
            return _begin(step, special)
        case {
            "type": "TemplateProcessing",
            "single": [{"SpecialToken": {"id": str(token)}}, {"Sequence": _}],
        } if token in special:
            return token
    shown = json.dumps(field, ensure_ascii=False)[:200]
    raise InputError(
        f"field 'post_processor' is {shown}; accepted: ByteLevel, and "
        "TemplateProcessing that puts one special token before a text"
    )


def _special_tokens(added: object, id_of: dict[str, int], nfc: bool) -> dict[str, int]:
    """Ids of the tokens to be found whole in a text; new ones go to ``id_of``.

    With ``nfc`` they must be looked for in the text as it was.
    """
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
            "normalized": (False if nfc else added[0].get("normalized"),),
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
