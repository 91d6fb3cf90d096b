"""Run the benchmarks and record them: ``python -m benchmarks [name ...]``."""

import argparse
from collections.abc import Callable
from typing import Any

from benchmarks import (
    article_keras,
    article_setup,
    backprop,
    char_gpt,
    generation,
    glove,
    gpt_floor,
    microworld_floor,
    passages,
    record,
    shakespeare,
    story_reader,
    tatoeba,
    tokenizers,
    training,
    translator,
    vectors,
    word2vec,
)

BENCHMARKS: dict[str, Callable[[], dict[str, Any]]] = {
    "training": training.run,
    "article_setup": article_setup.run,
    "backprop": backprop.run,
    "generation": generation.run,
    "glove": glove.run,
    "tokenizers": tokenizers.run,
    "vectors": vectors.run,
    "word2vec": word2vec.run,
    "microworld_floor": microworld_floor.run,
    "gpt_floor": gpt_floor.run,
    "passages": passages.run,
    "shakespeare": shakespeare.run,
    "char_gpt": char_gpt.run,
    "tatoeba": tatoeba.run,
    "story_reader": story_reader.run,
    "translator": translator.run,
    "article_keras": article_keras.run,  # last: it needs the bench extra
}

parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
parser.add_argument("names", nargs="*", metavar="name", help=", ".join(BENCHMARKS))
names = parser.parse_args().names or list(BENCHMARKS)
for name in names:
    if name not in BENCHMARKS:
        parser.error(f"no benchmark named {name!r}; there are: {', '.join(BENCHMARKS)}")
for name in names:
    results = BENCHMARKS[name]()
    path = record.write(name, results)
    print(f"{name}: ratio {results['ratio']}, recorded in results/{path.name}")
