"""Two kinds of model, and the folder's dict that tells which."""

import json

import pytest

from lmbook.errors import InputError
from lmbook.models.gpt import GPT, GPTConfig
from lmbook.models.language_model import build, config_from, sizes_of
from lmbook.models.lstm import LSTMConfig, LSTMLanguageModel
from lmbook.models.rotary import Llama3Scaling

LSTM = LSTMConfig(13, 5, 7, num_layers=3, tied=False, weight_drop=0.25)
TRANSFORMER = GPTConfig(
    vocab_size=13,
    context_length=6,
    hidden_size=12,
    num_layers=2,
    num_heads=3,
    num_kv_heads=1,
    position="rotary",
    rotary_scaling=Llama3Scaling(8.0, 1.0, 4.0, 4),
    qk_norm=True,
)


@pytest.mark.parametrize(
    ("config", "kind"), [(LSTM, LSTMLanguageModel), (TRANSFORMER, GPT)]
)
def test_a_configuration_comes_back_from_json(config, kind):
    again = config_from(json.loads(json.dumps(sizes_of(config))))
    assert again == config
    model = build(again)
    assert type(model) is kind
    assert sum(w.numel() for w in model.parameters()) == config.num_parameters


def test_a_dict_that_names_no_kind_is_an_lstms():
    assert "kind" not in sizes_of(LSTM)
    assert sizes_of(TRANSFORMER)["kind"] == "gpt"


def test_what_it_cannot_be_is_named():
    with pytest.raises(InputError, match=r'"lstm" or "gpt", got .mamba.'):
        config_from({"kind": "mamba", "vocab_size": 3})
    with pytest.raises(TypeError, match="num_heads"):
        config_from({"num_heads": 3})
    with pytest.raises(InputError, match="num_layers must be at least 1"):
        config_from({**sizes_of(TRANSFORMER), "num_layers": 0})


def test_dicts_are_left_as_they_are():
    sizes = sizes_of(TRANSFORMER)
    config_from(sizes)
    assert sizes == sizes_of(TRANSFORMER)
