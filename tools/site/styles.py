"""One small stylesheet in place of the themes' dozen.

The themes bring half a megabyte of CSS, nearly all of it for things that stand on
no page of this book, and a browser draws nothing before it has read it all.
"""

import hashlib
import posixpath
import re
from collections.abc import Iterable, Iterator, Set
from itertools import pairwise
from pathlib import Path
from typing import Any

import tinycss2

from tools.site import icons

MERGED = "_static/book.css"
LINK = re.compile(r'[ \t]*<link\b(?=[^>]*rel="stylesheet")[^>]*href="([^"]+)"[^>]*>\n?')
IMPORT = re.compile(r'@import\s+(?:url\()?["\']([^"\']+)["\']\)?[^;]*;')
ADDRESS = re.compile(r"url\(\s*([\"']?)(?!data:|#|https?:)([^\"')]+)\1\s*\)")
WORD = re.compile(r"[\w-]+")


def merge(site: Path) -> None:
    """Write the merged stylesheet of a built site and link every page to it.

    Pages that an earlier call has seen are linked to the new one.
    """
    pages = {path: path.read_text("utf-8") for path in site.rglob("*.html")}
    linked = [
        [_from(path.parent, href, site) for href in LINK.findall(text)]
        for path, text in pages.items()
    ]
    sources = max(linked, key=len, default=[])
    if set(sources) <= {MERGED}:  # no page is new
        return
    words = used_words(site, pages.values())
    css = "".join(prune(text, words) for text in _read(site, sources))
    css = icons.embed(css, (site / MERGED).parent)
    (site / MERGED).write_text(css, "utf-8")

    digest = hashlib.sha256(css.encode()).hexdigest()[:8]
    for path, text in pages.items():
        first = LINK.search(text)
        if first:
            to_site = "../" * (len(path.relative_to(site).parts) - 1)
            link = f'<link rel="stylesheet" href="{to_site}{MERGED}?v={digest}">\n'
            before, after = text[: first.start()], text[first.start() :]
            path.write_text(before + link + LINK.sub("", after), "utf-8")


def used_words(site: Path, pages: Iterable[str]) -> set[str]:
    """Every word of the pages and of their scripts: a class not here is unused.

    The scripts under vendor/ bring styles of their own for what they draw.
    """
    words = {word for text in pages for word in WORD.findall(text)}
    for script in (site / "_static").rglob("*.js"):
        if "vendor" not in script.parts:
            words.update(WORD.findall(script.read_text("utf-8")))
    return words


def prune(css: str, words: Set[str]) -> str:
    """``css`` without comments and without the selectors that name an unused class.

    A class or id counts where it stands outside brackets, so ``:not(.unused)`` stays.
    """
    return "".join(_rules(tinycss2.parse_stylesheet(css, True, True), words))


def _rules(rules: Iterable[Any], words: Set[str]) -> Iterator[str]:
    for rule in rules:
        if rule.type == "qualified-rule":
            kept = [s for s in _selectors(rule.prelude) if _names(s) <= words]
            if kept:
                yield f"{','.join(map(_text, kept))}{{{_text(rule.content)}}}\n"
        elif rule.type == "at-rule" and rule.lower_at_keyword in ("media", "supports"):
            inner = tinycss2.parse_rule_list(rule.content, True, True)
            body = "".join(_rules(inner, words))
            if body:
                yield f"@{rule.at_keyword} {_text(rule.prelude)}{{{body}}}\n"
        elif rule.type == "at-rule" and rule.lower_at_keyword != "charset":
            yield rule.serialize() + "\n"


def _selectors(prelude: list[Any]) -> list[list[Any]]:
    """The selectors between the commas."""
    selectors: list[list[Any]] = [[]]
    for token in prelude:
        if token == ",":
            selectors.append([])
        else:
            selectors[-1].append(token)
    return selectors


def _names(selector: list[Any]) -> set[str]:
    """Classes and ids that an element must have, or its ancestors."""
    names = {token.value for token in selector if token.type == "hash"}
    for before, token in pairwise(selector):
        if before == "." and token.type == "ident":
            names.add(token.value)
    return names


def _text(tokens: list[Any]) -> str:
    """The tokens with no comment and every stretch of white space one space."""
    kept = (token for token in tokens if token.type != "comment")
    text = (" " if t.type == "whitespace" else t.serialize() for t in kept)
    return "".join(text).strip()


def _read(site: Path, sources: Iterable[str]) -> Iterator[str]:
    """The text of each stylesheet, after those it imports, its addresses changed to
    hold in the place of the merged one."""
    for source in sources:
        text = (site / source).read_text("utf-8")
        folder = (site / source).parent
        imported = [_from(folder, name, site) for name in IMPORT.findall(text)]
        yield from _read(site, imported)
        yield _moved(IMPORT.sub("", text), folder, (site / MERGED).parent)


def _moved(css: str, old: Path, new: Path) -> str:
    """``css`` of the folder ``old``, with addresses relative to ``new``."""
    return ADDRESS.sub(lambda found: f"url({_from(old, found[2], new)})", css)


def _from(folder: Path, address: str, base: Path) -> str:
    """A relative address on a page or stylesheet in ``folder``, seen from ``base``."""
    path = posixpath.join(folder.as_posix(), address.partition("?")[0])
    return posixpath.relpath(posixpath.normpath(path), base.as_posix())
