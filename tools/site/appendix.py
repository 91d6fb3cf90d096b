"""Sphinx extension: 勘误, 术语表 and 缩略词, made from the tables at every build.

    ```{errata-list} 4        the errata of the article's section 4
    ```{errata-count}         how many there are of which kind
    ```{term-list} 4          the terms that chapter 4 introduces
    ```{abbreviation-list}    every term that has an abbreviation

What the table names and no page of this build holds yet is said to be coming, and
becomes a link as soon as it stands.
"""

import re
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from tools import errata, glossary
from tools.labels import Place, places

VERIFIED = {"运行": "运行核实", "文献": "文献核实", "未核实": "尚未核实"}
WHOLE = "0"  # the group of what is said of the article as a whole
CLOSING = "10"  # and of its signature, which stands at its end


class FromTable(SphinxDirective):
    """A directive whose content is Markdown written from a table."""

    optional_arguments = 1

    def run(self) -> list[nodes.Node]:
        for table in (errata.TABLE, glossary.TABLE):
            self.env.note_dependency(str(table))
        self.env.note_reread()  # its links depend on every other page
        argument = self.arguments[0] if self.arguments else ""
        text = self.markdown(argument, self.known())
        node = nodes.container(classes=[self.name])
        node += self.parse_text_to_nodes(text)
        return [node]

    def known(self) -> dict[str, Place]:
        """Labels on the pages that are being built."""
        return _known(Path(self.env.srcdir), frozenset(self.env.found_docs))

    def markdown(self, argument: str, known: dict[str, Place]) -> str:
        raise NotImplementedError


class ErrataList(FromTable):
    required_arguments, optional_arguments = 1, 0

    def markdown(self, argument: str, known: dict[str, Place]) -> str:
        rows = [row for row in errata.load().values() if group_of(row) == argument]
        if not rows:
            raise self.error(f"no erratum is about section {argument!r} of the article")
        return "\n\n".join(erratum(row, known) for row in rows)


class ErrataCount(FromTable):
    def markdown(self, argument: str, known: dict[str, Place]) -> str:
        rows = list(errata.load().values())
        kinds = Counter(row.kind for row in rows)
        verified = Counter(row.verified for row in rows)
        put_right = sum(f"errata-{row.id}" in known for row in rows)
        sorts = "，".join(f"{errata.KINDS[k]} {n} 条" for k, n in kinds.most_common())
        how = "，".join(f"{VERIFIED[v]} {verified[v]} 条" for v in errata.VERIFIED)
        left = len(rows) - put_right
        coming = f"，{left} 条所在的节还没有写成" if left else ""
        return (
            f"{sorts}，合计 {len(rows)} 条。{how}。{put_right} 条已在原地改正{coming}。"
        )


class TermList(FromTable):
    required_arguments, optional_arguments = 1, 0

    def markdown(self, argument: str, known: dict[str, Place]) -> str:
        rows = [row for row in glossary.load() if chapter_of(row) == argument]
        if not rows:
            raise self.error(f"no term is introduced in chapter {argument!r}")
        entries = "\n\n".join(term(row, known) for row in rows)
        return f"::::{{glossary}}\n{entries}\n::::"


class AbbreviationList(FromTable):
    def markdown(self, argument: str, known: dict[str, Place]) -> str:
        rows = [row for row in glossary.load() if row["abbreviation"]]
        rows.sort(key=lambda row: row["abbreviation"].lower())
        lines = ["| 缩略词 | 英文全称 | 中文 |", "|---|---|---|"]
        for row in rows:
            lines.append(
                f"| {row['abbreviation']} | {row['english']} "
                f"| {{term}}`{row['chinese']}` |"
            )
        return "\n".join(lines)


@cache
def _known(root: Path, documents: frozenset[str]) -> dict[str, Place]:
    """Labels of these documents: the notebooks are read once a build."""
    names = {page: page.relative_to(root).with_suffix("") for page in errata.pages()}
    return places(page for page, name in names.items() if name.as_posix() in documents)


def group_of(row: errata.Erratum) -> str:
    """Which section of the article a row is listed under; "0" for all of it."""
    if row.article_section == "署名":
        return CLOSING
    found = re.match(r"(?:摘要、)?(\d+)", row.article_section)
    return found[1] if found else WHOLE


def chapter_of(row: dict[str, str]) -> str:
    """The chapter that introduces a term."""
    return row["label"].split("-")[1]


def where(label: str, section: str, known: dict[str, Place]) -> str:
    """A link to a label, by the title of where it stands; or that it is coming."""
    place = known.get(label)
    if place is None:
        return f"{number_of(section)}（待写）"
    title = known[section].title if section in known else place.title
    return f"{{ref}}`{title} <{label}>`"


def number_of(label: str) -> str:
    """sec-2-1-3 as it is called in the text: 2.1.3; ch-8 is 第 8 章."""
    kind, *numbers = label.split("-")
    return f"第 {numbers[0]} 章" if kind == "ch" else ".".join(numbers)


def erratum(row: errata.Erratum, known: dict[str, Place]) -> str:
    """One row: what the article says, what is right, the source, where."""
    lead = "原文缺" if row.id.startswith("M") else "原文"
    link = where(f"errata-{row.id}", row.label, known)
    return (
        f"(list-{row.id})=\n"
        f":::{{container}} erratum\n"
        f"**{row.id}** {errata.KINDS[row.kind]}　{lead}（{row.article_section}）："
        f"{row.says}\n\n"
        f"{row.correct}\n\n"
        f"出处：{row.source}　{VERIFIED[row.verified]}　改正处：{link}\n"
        f":::"
    )


def term(row: dict[str, str], known: dict[str, Place]) -> str:
    """A term of Sphinx's glossary: its names; its definition, and where it stands."""
    names = [row["chinese"], row["english"], row["abbreviation"]]
    different: list[str] = []
    for name in names:
        if name and name.lower() not in (n.lower() for n in different):
            different.append(name)
    avoided = "、".join(f"“{word}”" for word in row["avoid"].split())
    place = where(row["label"], row["label"], known)
    note = f"　本书不写作{avoided}。" if avoided else ""
    text = f"{row['definition']}　见 {place}。{note}"
    return "\n".join(different) + f"\n    {text}"


def setup(app: Sphinx) -> dict[str, Any]:
    app.connect("env-before-read-docs", lambda *_: _known.cache_clear())
    app.add_directive("errata-list", ErrataList)
    app.add_directive("errata-count", ErrataCount)
    app.add_directive("term-list", TermList)
    app.add_directive("abbreviation-list", AbbreviationList)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
