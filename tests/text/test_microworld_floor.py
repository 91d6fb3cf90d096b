"""No trained model passes below the floor, and counting comes near it on sentences."""

import itertools

import pytest

from lmbook.text.microworld import MicroWorld
from lmbook.text.ngram import NGramModel

END = "<eos>"


def losses(language, stream, order, num_tokens, test_tokens=30_000):
    """Nats per token of an n-gram model and of the world, on fresh documents."""
    world = MicroWorld(language)
    train = list(world.token_lists(stream, 1, num_tokens))
    test = list(itertools.islice(world.texts(stream, 2), test_tokens // 10))
    numbers: dict[str, int] = {END: 0}

    def ids(documents):
        return [
            numbers.setdefault(token, len(numbers))
            for document in documents
            for token in [*document, END]
        ]

    train_ids, test_ids = ids(train), ids(text.tokens for text in test)
    model = NGramModel(order).fit(train_ids, len(numbers))
    floor = world.floor(stream, test)
    assert floor.tokens == len(test_ids)
    return -model.log_probs(test_ids).mean(), floor.nats_per_token


@pytest.mark.parametrize("language", ["zh", "en"])
def test_a_trigram_model_stays_above_the_floor(language):
    loss, floor = losses(language, "sentences", 3, 150_000)
    assert floor < loss < 1.65 * floor
    loss, floor = losses(language, "stories", 3, 100_000)
    assert floor < loss < 2.4 * floor


@pytest.mark.full
@pytest.mark.parametrize("order", [3, 5])
@pytest.mark.parametrize("language", ["zh", "en"])
def test_a_million_tokens_bring_it_nearer(language, order):
    loss, floor = losses(language, "sentences", order, 1_000_000)
    less, _ = losses(language, "sentences", order, 100_000)
    assert floor < loss < less
    assert loss < (1.45 if order == 3 else 1.3) * floor
    loss, floor = losses(language, "stories", order, 1_000_000)
    assert loss > 1.5 * floor  # who is where stands further back than it sees
