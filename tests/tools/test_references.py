"""Every reference can be found by its reader, and none is one of the invented five."""

import re

import pytest
from pybtex.database import parse_file

from tools.errata import markdown, pages
from tools.notebooks.paths import BOOK

ENTRIES = parse_file(BOOK / "references.bib").entries
INVENTED = [
    "One Hundred Million Parameter",
    "The Sparsity Case",
    "A Large-scale Analysis of Pre-trained",
    "A Breakthrough in Language Understanding",
    "Towards a Unified Framework for Large-scale",
]
FORMS = {
    "doi": r"10\.\d{4,9}/\S+",
    "eprint": r"\d{4}\.\d{4,5}",
    "url": r"https://\S+",
    "year": r"(19|20)\d\d",
    "pages": r"\d+--\d+",
}


@pytest.mark.parametrize("key", ENTRIES)
def test_an_entry_is_whole_and_well_formed(key):
    entry = ENTRIES[key]
    assert entry.persons["author"]
    assert {"title", "year"} <= set(entry.fields)
    assert {"doi", "eprint", "url", "isbn"} & set(entry.fields)
    for field, form in FORMS.items():
        if field in entry.fields:
            assert re.fullmatch(form, entry.fields[field]), field


def test_no_entry_stands_twice_or_was_invented():
    titles = [re.sub(r"\W", "", e.fields["title"]).lower() for e in ENTRIES.values()]
    assert len(set(titles)) == len(titles)
    for invented in INVENTED:
        assert re.sub(r"\W", "", invented).lower() not in "".join(titles)


def test_every_entry_is_cited_and_every_citation_has_one():
    cited = set()
    for path in pages():
        for keys in re.findall(r"\{cite\w*\}`([^`]+)`", markdown(path)):
            cited |= {key.strip() for key in keys.split(",")}
    assert cited == set(ENTRIES)
