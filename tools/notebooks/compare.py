r"""Whether a fresh execution of a cell printed what the notebook holds.

How strictly is written in the cell's metadata, ``lmbook.compare``:

- ``exact`` (the default): every character;
- ``close``, with ``rtol`` and ``atol``: the text exactly, each number within
  :math:`|a - b| \le \text{atol} + \text{rtol} \cdot |b|`, where b is the stored one;
- ``own``, with a ``reason``: not compared; the cell asserts what the prose says.

Pictures are not compared dot by dot (their last digits differ from one processor to
the next), but they must be there, as many as stored, with the same alt text.
"""

import difflib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from nbformat import NotebookNode

from tools.notebooks.normalise import (
    WIDGET_VIEW,
    Widgets,
    rename_widgets,
    shown_widgets,
)

KINDS = ("exact", "close", "own")
# A number: 12, -1.2, −1.2 (U+2212), .5, 1,234.5, 1e-5. A digit that belongs to a
# word or a version (lstm2, E41, 2.13.0) is text; the sign after a digit is a dash.
NUMBER = re.compile(
    r"(?:(?<![A-Za-z0-9_.)\]])[-+−])?"
    r"(?<![A-Za-z0-9_.])(?:[0-9]{1,3}(?:,[0-9]{3})+(?![0-9])|[0-9]+|(?=\.[0-9]))"
    r"(?:\.[0-9]*)?(?:[eE][-+−]?[0-9]+)?(?!\.?[0-9])"
)
ADDRESS = re.compile(r"\b0x[0-9a-f]{6,}\b")
BLANKS = re.compile(r"[ \t]+")


@dataclass(frozen=True)
class Rule:
    """How one cell is compared."""

    compare: str = "exact"
    rtol: float = 0.0
    atol: float = 0.0
    reason: str = ""

    def __post_init__(self) -> None:
        if self.compare not in KINDS:
            accepted = ", ".join(KINDS)
            raise ValueError(f"compare is {self.compare!r}; accepted: {accepted}")
        tolerant = self.rtol > 0 or self.atol > 0
        if tolerant != (self.compare == "close") or min(self.rtol, self.atol) < 0:
            raise ValueError('a positive rtol or atol belongs to compare "close"')
        if bool(self.reason.strip()) != (self.compare == "own"):
            raise ValueError('a reason belongs to compare "own"')

    @classmethod
    def of(cls, cell: NotebookNode) -> "Rule":
        """The rule in a cell's metadata; ``ValueError`` where it makes no sense."""
        try:
            return cls(**cell.metadata.get("lmbook", {}))
        except TypeError as error:
            raise ValueError(f"cell metadata lmbook: {error}") from error


def differences(
    stored: Sequence[NotebookNode], fresh: Sequence[NotebookNode], rule: Rule
) -> list[str]:
    """What differs between two lists of cleaned outputs; empty where they agree."""
    if rule.compare == "own":
        return []
    kinds = [[name for name, _ in _parts(outputs)] for outputs in (stored, fresh)]
    if kinds[0] != kinds[1]:
        expected, got = (", ".join(names) or "nothing" for names in kinds)
        printed = "\n".join(str(value) for _, value in _parts(fresh))[:500]
        return [f"expected outputs: {expected}\n     got outputs: {got}\n{printed}"]
    found = []
    pairs = zip(_parts(stored), _parts(fresh), strict=True)
    for (name, expected), (_, got) in pairs:
        found += [f"{name}: {message}" for message in _compare(expected, got, rule)]
    return found


def widget_differences(
    stored: Sequence[NotebookNode],
    stored_state: Widgets,
    fresh: Sequence[NotebookNode],
    fresh_state: Widgets,
) -> list[str]:
    """What differs in the widgets that two lists of outputs show, ids apart."""
    texts = []
    for outputs, state in ((stored, stored_state), (fresh, fresh_state)):
        models = shown_widgets(outputs, state)
        shown = {model_id: model["state"] for model_id, model in models.items()}
        renamed = _without_pictures(rename_widgets(shown, models))
        texts.append(json.dumps(renamed, indent=1, sort_keys=True, ensure_ascii=False))
    if texts[0] == texts[1]:
        return []
    return ["the widgets' state differs", *_exact(*texts)]


def _without_pictures(value: Any) -> Any:
    """The widgets' state with every picture blank: no two machines draw the same."""
    if isinstance(value, dict):
        return {
            key: "" if key.startswith("image/") else _without_pictures(part)
            for key, part in value.items()
        }
    if isinstance(value, list):
        return [_without_pictures(part) for part in value]
    return value


def _parts(outputs: Sequence[NotebookNode]) -> list[tuple[str, Any]]:
    """(what it is, what is compared of it), in the order of printing."""
    parts: list[tuple[str, Any]] = []
    for output in outputs:
        if output.output_type == "stream":
            parts.append(("print", output.text))
        elif output.output_type == "error":
            parts.append(("error", f"{output.ename}: {output.evalue}"))
        else:
            for mime in sorted(output.data):
                value = output.data[mime]
                if mime.startswith("image/"):
                    value = output.metadata.get(mime, {}).get("alt", "")
                elif mime == WIDGET_VIEW:
                    value = ""
                elif not isinstance(value, str):
                    value = json.dumps(value, sort_keys=True, ensure_ascii=False)
                parts.append((mime, value))
    return parts


def _compare(expected: str, got: str, rule: Rule) -> list[str]:
    if address := ADDRESS.search(got):
        return [f"prints a memory address, {address[0]}"]
    if rule.compare == "exact":
        return _exact(expected, got) if expected != got else []
    return _close(expected, got, rule)


def _exact(expected: str, got: str) -> list[str]:
    lines = difflib.ndiff(expected.splitlines(), got.splitlines())
    changed = [line for line in lines if line[:1] in "-+"][:12]
    return ["\n".join(["(- expected, + got)", *changed])]


def _close(expected: str, got: str, rule: Rule) -> list[str]:
    if _text(expected) != _text(got):
        return ["the text around the numbers differs\n" + _exact(expected, got)[0]]
    found = []
    for b, a in zip(NUMBER.findall(expected), NUMBER.findall(got), strict=True):
        if abs(_value(a) - _value(b)) > rule.atol + rule.rtol * abs(_value(b)):
            found.append(f"expected {b}, got {a} (rtol {rule.rtol}, atol {rule.atol})")
    return found


def _text(printed: str) -> list[str]:
    """What stands between the numbers, without the blanks that line them up."""
    return [BLANKS.sub(" ", part).strip(" ") for part in NUMBER.split(printed)]


def _value(number: str) -> float:
    return float(number.replace(",", "").replace("−", "-"))
