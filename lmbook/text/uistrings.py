"""A parallel corpus that comes with JupyterLab: its interface in English and Chinese.

The catalogues of the installed package jupyterlab-language-pack-zh-CN (BSD licence)
are read.  What people translated as sentences and labels is kept;
placeholders alone, names left in English, code examples and HTML are dropped.
Used in sections 3.4 and 6.2.
"""

import hashlib
import importlib.metadata
import importlib.util
import json
import re
import warnings
from pathlib import Path

from lmbook.errors import InputError

PACKAGE = "jupyterlab-language-pack-zh-CN"
# What the numbers in the book were computed on.
VERSION = "4.5.post3"
SHA256 = "f75869d8a8b9ed63e68009208a911495b6012e574205e7364b4ceba52d80d6a1"

CONTEXT = "\4"  # gettext: "context\4message"
PLACEHOLDER = re.compile(r"%\d|\$\{?\w*\}?")
WORD = re.compile(r"[A-Za-z]{2}")
HAN = re.compile(r"[\u4e00-\u9fff]")
NOT_PROSE = re.compile(r"[{}]|</?\w[^>]*>|&\w+;|%%")


def uistrings() -> list[tuple[str, str]]:
    """About 3,000 pairs (English, Chinese), every English text once.

    They come in an order fixed by the hash of the English text, so that the parts
    before and after any cut are alike.  Raises ``InputError`` if the package is not
    installed; warns if its text is not that of the book.
    """
    found: dict[str, str] = {}
    for path in _catalogues():
        for key, forms in json.loads(path.read_text("utf-8")).items():
            english = _plain(key.rpartition(CONTEXT)[2])
            chinese = _plain(forms[0]) if key else ""  # the first entry is a header
            if english not in found and _is_pair(english, chinese):
                found[english] = chinese
    pairs = sorted(
        found.items(), key=lambda pair: hashlib.sha256(pair[0].encode()).digest()
    )
    text = "".join(f"{english}\t{chinese}\n" for english, chinese in pairs)
    if hashlib.sha256(text.encode("utf-8")).hexdigest() != SHA256:
        warnings.warn(
            f"these pairs come from {PACKAGE} {importlib.metadata.version(PACKAGE)}, "
            f"the book's from {VERSION}: expect other numbers than those printed",
            stacklevel=2,
        )
    return pairs


def _catalogues() -> list[Path]:
    spec = importlib.util.find_spec(PACKAGE.replace("-", "_"))
    if spec is None or spec.origin is None:
        raise InputError(
            f"the corpus uistrings needs the package {PACKAGE}: "
            f"pip install {PACKAGE}=={VERSION}"
        )
    return sorted(Path(spec.origin).parent.rglob("*.json"))


def _plain(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip()


def _is_pair(english: str, chinese: str) -> bool:
    """Words on both sides, no code or HTML, the same placeholders."""
    return (
        WORD.search(PLACEHOLDER.sub("", english)) is not None
        and HAN.search(chinese) is not None
        and not HAN.search(english)
        and not NOT_PROSE.search(english + chinese)
        and sorted(PLACEHOLDER.findall(english)) == sorted(PLACEHOLDER.findall(chinese))
    )
