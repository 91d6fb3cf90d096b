"""The pages show what was recorded, and say nothing that the record does not."""

import json

import pytest

from benchmarks import glove, record, tokenizers, word2vec
from tools.errata import markdown
from tools.notebooks.paths import BOOK

PAGE = markdown(BOOK / "ch03_core_algorithms" / "s3_word_vectors.ipynb")


def recorded(name):
    return json.loads((record.RESULTS / f"{name}.json").read_text("utf-8"))


@pytest.mark.parametrize("benchmark", [word2vec, glove], ids=["word2vec", "glove"])
def test_the_page_shows_the_table(benchmark):
    name = benchmark.__name__.rpartition(".")[2]
    assert benchmark.table(recorded(name)) in PAGE


def test_what_the_page_says_of_word2vec():
    results = recorded("word2vec")
    assert all(row["ratio"] < 0.9 for row in results["speed"]), "faster in every row"
    differences = results["loss_differences"].values()
    assert all(abs(nats) < 0.01 for nats in differences), "as good, to 0.01 nats"
    assert results["peer"].split(",")[0] in PAGE


def test_what_the_page_says_of_glove():
    rows = recorded("glove")["speed"]
    single = [row["times_faster"] for row in rows if row["dtype"] == "float32"]
    assert single
    assert min(single) > 10, "more than ten times as fast in float32"


def test_section_3_7_shows_what_was_recorded_of_the_tokenizers():
    results = recorded("tokenizers")
    page = markdown(BOOK / "ch03_core_algorithms" / "s7_tokenisation.ipynb")
    for table in tokenizers.tables(results):
        assert table in page
    over = [row["speed_over_peer"] for row in results["encoding"]]
    assert len(over) == 4
    assert min(over) > 1, "faster on all four, thread for thread"
    both = [row["speed_over_peer_all_threads"] for row in results["encoding"]]
    assert min(both) < 1 < max(both), "against both cores, sometimes the one, ..."
