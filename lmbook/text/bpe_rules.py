"""What byte-level BPE tokenizers after GPT-2's do in another way."""

import unicodedata
from dataclasses import dataclass


@dataclass(frozen=True)
class Rules:
    """How a text becomes words, and a word tokens; the defaults are GPT-2's.

    ``pattern`` is a key of :data:`lmbook.text.pretokenization.PATTERNS`.  With ``nfc``
    a text is composed first (Unicode's form NFC).  With ``ignore_merges`` a word that
    is a token is that token, whatever the merges would make of it.  ``begin``: the
    special token that a model of this tokenizer reads before every text.
    ``unmarked``: those of the special tokens that a file does not mark as special, as
    they are to be seen in what is decoded.
    """

    pattern: str = "gpt2"
    nfc: bool = False
    ignore_merges: bool = False
    begin: str | None = None
    unmarked: frozenset[str] = frozenset()

    def normalize(self, text: str) -> str:
        """The text that is cut into words."""
        return unicodedata.normalize("NFC", text) if self.nfc else text
