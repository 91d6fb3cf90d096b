"""Cutting a text into the words within which BPE merges.  Taught in section 3.7.

The pattern is that of GPT-2 (Radford et al. 2019), or one of those that came after.  A
word takes the space before it along, so that joining the words gives the text back,
every space and line end with it.
"""

import re

import regex

# English contractions; letters, digits, other signs, each with one space before it;
# white space, of which the last is left to the word that follows.
GPT2 = regex.compile(
    r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
)
# Llama 3: a word takes any one sign before it along, and a sign the line ends after it;
# contractions in capitals too; digits by threes.  Qwen: the same, each digit by itself.
_LLAMA3 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
PATTERNS = {
    "gpt2": GPT2,
    "llama3": regex.compile(_LLAMA3),
    "qwen": regex.compile(_LLAMA3.replace("{1,3}", "")),
}
# Where one word ends whatever stands around, so that a long text may be cut in two.
_AFTER_A_LINE = re.compile(r"(?<=\S)(?= )|(?<=\n)(?=\S)")
BOUNDARIES = {
    "gpt2": re.compile(r"(?<=\S)(?=[ \n])"),
    **dict.fromkeys(["llama3", "qwen"], _AFTER_A_LINE),
}
# Letters and digits that came after Unicode 16.  What is a letter must not depend on
# the version of a package: ids that a model was trained on would change.  These count
# as signs, as they do in Hugging Face's tokenizers 0.23.
_RANGES = (
    "558 58B-58C 88F C5C CDC 208F 209D-209F A7CE-A7CF A7D2 A7D4 A7DD-A7F1 AB6C-AB6D "
    "107BB-107BF 10940-10959 10EC5-10EC7 10ED9-10EEE 11B0A 11DB0-11DE9 11DF1 1246F "
    "12475-1247F 12550-12686 16EA0-16ED3 16FF2-16FF6 187F8-187FF 18CD6-18CDA "
    "18D09-191D2 1B123-1B128 1B168 1D6A6 1DF1F-1DF24 1DF2B-1DFFF 1E6C0-1E6E2 "
    "1E6E4-1E6E5 1E6E7-1E6ED 1E6F0-1E6F4 1E6FE-1E6FF 2B73A-2B73F 2B81E 2CEA2-2CEAD "
    "323B0-3FC3F"
)
_CHARACTERS = regex.sub(r"[0-9A-F]+", lambda m: chr(int(m[0], 16)), _RANGES)
AFTER_UNICODE_16 = regex.compile(f"[{_CHARACTERS.replace(' ', '')}]")
_SIGN = "\ue000"  # of private use: neither letter nor digit nor space


def pretokenize(text: str, pattern: str = "gpt2") -> list[str]:
    """The words of a text by one of :data:`PATTERNS`; joined, they are the text.

    >>> pretokenize("It's 2,5 kg  of tea")
    ['It', "'s", ' 2', ',', '5', ' kg', ' ', ' of', ' tea']
    """
    words = PATTERNS[pattern]
    if not AFTER_UNICODE_16.search(text):
        return words.findall(text)
    found = words.finditer(AFTER_UNICODE_16.sub(_SIGN, text))
    return [text[match.start() : match.end()] for match in found]
