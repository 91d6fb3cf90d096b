"""Sphinx extension: Chinese search that finds whole words.

At build time jieba cuts the pages into words, the glossary's terms among them.  The
browser cannot run jieba, so the query is cut by the longest match over the words
that the index holds: 反向传播 becomes whatever words the pages were cut into.
"""

import csv
import logging
from pathlib import Path

import jieba
from sphinx.application import Sphinx
from sphinx.search.zh import SearchChinese

GLOSSARY = Path(__file__).resolve().parents[2] / "book" / "glossary.csv"

SPLIT_QUERY = """
function splitQuery(query) {
  const known = (word) =>
    Object.hasOwn(Search._index.terms, word) ||
    Object.hasOwn(Search._index.titleterms, word);
  const splitChinese = (run) => {
    const words = [];
    for (let start = 0; start < run.length; ) {
      let end = run.length;
      while (end > start + 1 && !known(run.slice(start, end))) end--;
      if (end > start + 1) words.push(run.slice(start, end));
      start = end;
    }
    return words.length ? words : [run];
  };
  const runs = query.match(/\\p{Script=Han}+|[\\p{Letter}\\p{Number}_]+/gu) || [];
  const words = runs.flatMap((run) =>
    /\\p{Script=Han}/u.test(run) ? splitChinese(run) : [run]
  );
  // The index holds no single sign: the p of "min-p" would rule every page out.
  const indexed = words.filter((word) => word.length > 1);
  return indexed.length ? indexed : words;
}
"""


class LongestMatchChinese(SearchChinese):
    """Sphinx's Chinese search with the query cut in the browser."""

    js_splitter_code = SPLIT_QUERY

    def init(self, options: dict[str, str]) -> None:
        super().init(options)
        jieba.setLogLevel(logging.WARNING)
        if GLOSSARY.exists():
            with open(GLOSSARY, encoding="utf-8", newline="") as file:
                for row in csv.DictReader(file):
                    jieba.add_word(row["chinese"])

    def split(self, input: str) -> list[str]:
        # A hyphenated or dotted English word is found by its parts as well.
        return [word for word in super().split(input) if word.strip()]


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_search_language(LongestMatchChinese)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
