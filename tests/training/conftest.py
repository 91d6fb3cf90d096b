"""Small models and texts that every test of training uses."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from lmbook.models.gpt import GPT, GPTConfig
from lmbook.text.tokenizers import CharTokenizer


@pytest.fixture(autouse=True)
def one_thread():
    """Matrices this small are quicker without threads that wait for each other."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def data():
    """A text whose next token is a function of the last two."""
    ids = [1, 2]
    while len(ids) < 1500:
        ids.append((ids[-1] * 3 + ids[-2]) % 10 + 1)
    array = np.array(ids, np.int64)
    return SimpleNamespace(train=array[:1200], valid=array[1200:1400])


@pytest.fixture
def learned():
    """A model and its tokenizer: what others learn on from.  Its weights are large, so
    that everything it reads has an effect."""
    tokenizer = CharTokenizer.train("abcdefghij?=\n")
    torch.manual_seed(0)
    config = GPTConfig(len(tokenizer), 17, 12, 2, 3, tied=False, init_std=0.3)
    return SimpleNamespace(model=GPT(config).eval(), tokenizer=tokenizer)


class MemoryFolder:
    """Keeps what a run saves as a file would: copies, and facts through JSON."""

    def __init__(self, path):
        self.path, self.state, self.finished = path, None, None
        self.logged, self.saves = [], 0

    def save(self, tensors, facts):
        copies = {name: t.detach().cpu().clone() for name, t in tensors.items()}
        self.state = copies, json.loads(json.dumps(facts, allow_nan=False))
        self.saves += 1

    def finish(self, tensors, facts):
        self.save(tensors, facts)
        self.finished = self.state

    def log(self, records):
        self.logged = json.loads(json.dumps(records, allow_nan=False))


@pytest.fixture
def folder(tmp_path):
    return MemoryFolder(tmp_path)
