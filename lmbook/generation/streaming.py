"""From tokens to text while they are made: whole characters, up to a stop string."""

import codecs
from collections.abc import Iterable, Sequence

from lmbook.errors import InputError
from lmbook.text.tokenizer_base import Tokenizer


class Detokenizer:
    """Turns one token after another into text.

    All that ``feed`` returns, and what ``finish`` adds, is what ``decode`` makes of
    the tokens after those in ``before``.  A character whose bytes are spread over
    tokens comes with the last of them.
    """

    def __init__(self, tokenizer: Tokenizer, before: Sequence[int] = ()) -> None:
        self._tokenizer = tokenizer
        self._last = list(before[-1:])
        self._utf8 = codecs.getincrementaldecoder("utf-8")("replace")

    def feed(self, token: int) -> str:
        """The text that this token completes: perhaps none."""
        [piece] = self._tokenizer.pieces_of([token])
        if isinstance(piece, bytes):
            return self._utf8.decode(piece)
        # Whether a space stands between two words depends on these two alone.
        pair = self._tokenizer.decode([*self._last, token])
        text = pair[len(self._tokenizer.decode(self._last)) :]
        self._last = [token]
        return text

    def finish(self) -> str:
        """U+FFFD if the text breaks off within a character, else nothing."""
        return self._utf8.decode(b"", final=True)


class Stopper:
    """Ends a text before the first of some strings that it comes to contain.

    What might be the beginning of one is held back until it is known.  Of two that
    end at the same character, the longer counts.
    """

    def __init__(self, stops: str | Iterable[str] | None = None) -> None:
        if stops is None:
            stops = ()
        self.stops = [stops] if isinstance(stops, str) else list(stops)
        if not all(isinstance(stop, str) and stop for stop in self.stops):
            raise InputError(f"stop strings must be non-empty texts, got {self.stops}")
        self.stopped = False
        self._held = ""

    def feed(self, text: str) -> str:
        """What of the text so far is now certain to be before any stop string."""
        if self.stopped:
            return ""
        text = self._held + text
        found = [text.find(stop) for stop in self.stops]
        hits = [
            (start + len(stop), start)
            for start, stop in zip(found, self.stops, strict=True)
            if start >= 0
        ]
        if hits:
            self.stopped = True
            return text[: min(hits)[1]]
        held = max((_overlap(text, stop) for stop in self.stops), default=0)
        certain = len(text) - held
        self._held = text[certain:]
        return text[:certain]

    def finish(self) -> str:
        """What was held back and turned out to be no stop string."""
        return "" if self.stopped else self._held


def _overlap(text: str, stop: str) -> int:
    """Length of the longest end of the text that begins ``stop``, not all of it."""
    longest = min(len(text), len(stop) - 1)
    return next((n for n in range(longest, 0, -1) if text.endswith(stop[:n])), 0)


class TextStream:
    """Both of them: tokens in, text out, until a stop string or the end."""

    def __init__(
        self,
        tokenizer: Tokenizer,
        before: Sequence[int] = (),
        stops: str | Iterable[str] | None = None,
    ) -> None:
        self._characters = Detokenizer(tokenizer, before)
        self._stopper = Stopper(stops)

    @property
    def stopped(self) -> bool:
        """Whether a stop string has come."""
        return self._stopper.stopped

    def feed(self, token: int) -> str:
        """The text that is certain now and wasn't before."""
        return self._stopper.feed(self._characters.feed(token))

    def finish(self) -> str:
        """What was still held back when no more tokens come."""
        text = self._stopper.feed(self._characters.finish())
        return text + self._stopper.finish()
