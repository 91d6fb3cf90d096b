"""From the first's weights, on the answers alone, all of them or LoRA's."""

import copy
import dataclasses
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from lmbook.errors import InputError
from lmbook.models.lora import LoRAConfig, LoRALinear
from lmbook.training import Diverged, TrainConfig
from lmbook.training.examples import ExampleEncoder, answer_loss, batch_of
from lmbook.training.finetuning import FineTunedModel, answer_nats
from lmbook.training.preference import DPOModel
from lmbook.training.pretraining import PretrainedModel
from lmbook.training.schedules import learning_rate
from lmbook.training.tuning import plain_copy
from tests.precision import needs_bf16

LETTERS = "abcdefghij"
TASK = [(f"{a}{b}?", b + a) for a in LETTERS[:5] for b in LETTERS[5:]]
TRAIN = TrainConfig(
    batch_size=7, optimizer="adamw", learning_rate=0.02, weight_decay=0.1, device="cpu"
)
LORA = LoRAConfig(rank=2, targets=("qkv", "down"))


def tuned(learned, method="full", epochs=2, **options):
    lora = LORA if method == "lora" else None
    model = FineTunedModel(learned, method, lora=lora, train=TRAIN, **options)
    return model.fit(TASK, epochs)


def weights_of(model):
    return {name: p.detach().clone() for name, p in model.named_parameters()}


def ids_of(learned):
    return torch.tensor([learned.tokenizer.encode("ab?ba")])


@pytest.mark.parametrize("method", ["full", "lora"])
def test_it_learns_the_task(learned, method):
    model = tuned(learned, method, epochs=12)
    assert len(model.losses) == 12
    assert model.losses[-1] < 0.7 * model.losses[0]
    assert answer_nats(model, TASK) < 0.7 * answer_nats(learned, TASK)
    assert not model.model.training


def test_it_is_a_loop_written_out(learned):
    """Batches drawn anew, the rate of the schedule, the gradient clipped."""
    config = dataclasses.replace(TRAIN, optimizer="sgd", clip_norm=0.5, warmup=0.3)
    model = FineTunedModel(learned, train=config).fit(TASK, 3)
    plain = copy.deepcopy(learned.model).train()
    encoder = ExampleEncoder(learned.tokenizer, 17)
    examples = [encoder.example(*pair) for pair in TASK]
    drawn, step = np.random.default_rng(config.seed), 0
    for epoch in range(3):
        order = drawn.permutation(25)
        for part in (order[:7], order[7:13], order[13:19], order[19:]):
            batch = batch_of([examples[i] for i in part], "cpu")
            answer_loss(plain, batch).backward()
            torch.nn.utils.clip_grad_norm_(plain.parameters(), 0.5)
            rate = learning_rate(config, step / 12, epoch)
            with torch.no_grad():
                for p in plain.parameters():
                    p -= rate * (p.grad + config.weight_decay * p)
                    p.grad = None
            step += 1
    for a, b in zip(plain.parameters(), model.model.parameters(), strict=True):
        assert torch.allclose(a, b, atol=1e-6)


@needs_bf16
def test_in_bfloat16_it_learns_about_the_same(learned):
    train = dataclasses.replace(TRAIN, precision="bf16")
    model = FineTunedModel(learned, "lora", lora=LORA, train=train).fit(TASK, 4)
    expected = tuned(learned, "lora", 4).losses
    assert model.losses != expected
    assert model.losses == pytest.approx(expected, rel=0.05)
    assert {p.dtype for p in model.model.parameters()} == {torch.float32}


@pytest.mark.parametrize("method", ["full", "lora"])
def test_the_pretrained_model_is_left_as_it_was(learned, method):
    before, expected = weights_of(learned.model), learned.model(ids_of(learned))[0]
    model = tuned(learned, method)
    after = weights_of(learned.model)
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert all(p.requires_grad for p in learned.model.parameters())
    assert all(p.grad is None for p in learned.model.parameters())
    assert torch.equal(learned.model(ids_of(learned))[0], expected)
    assert not learned.model.training
    assert all(p.grad is None for p in model.model.parameters())
    storage = {p.data_ptr() for p in learned.model.parameters()}
    assert storage.isdisjoint(p.data_ptr() for p in model.model.parameters())


def test_the_first_step_is_taken_from_the_pretrained_weights(learned):
    encoder = ExampleEncoder(learned.tokenizer, 17)
    batch = batch_of([encoder.example(*pair) for pair in TASK], torch.device("cpu"))
    expected = answer_loss(learned.model, batch).item()
    train = dataclasses.replace(TRAIN, batch_size=len(TASK))
    for method in ("full", "lora"):
        model = FineTunedModel(learned, method, train=train).fit(TASK, 1)
        assert model.losses == pytest.approx([expected], rel=1e-6)


def test_of_lora_the_change_alone_is_trained(learned):
    model = tuned(learned, "lora").model
    before = weights_of(learned.model)
    changed = {name for name, _ in model.named_parameters() if "lora" in name}
    assert len(changed) == 8  # A and B beside two matrices of two blocks
    for name, weight in weights_of(model).items():
        if name not in changed:
            assert torch.equal(weight, before[name]), name


def test_merged_and_unmerged(learned):
    model = tuned(learned, "lora")
    before, expected = weights_of(model.model), model.model(ids_of(learned))[0]
    model.merge()
    assert torch.allclose(model.model(ids_of(learned))[0], expected, atol=1e-5)
    assert not torch.equal(
        weights_of(model.model)["blocks.0.attention.qkv.weight"],
        before["blocks.0.attention.qkv.weight"],
    )
    model.unmerge()
    after = weights_of(model.model)
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert torch.equal(model.model(ids_of(learned))[0], expected)


def test_all_weights_have_nothing_to_merge(learned):
    for act in (tuned(learned).merge, tuned(learned).unmerge):
        with pytest.raises(InputError, match='only method="lora"'):
            act()


@pytest.mark.parametrize("merged", [False, True])
def test_a_copy_without_lora_is_the_same_function(learned, merged):
    model = tuned(learned, "lora")
    if merged:
        model.merge()
    copied = plain_copy(model.model)
    assert not any(isinstance(m, LoRALinear) for m in copied.modules())
    found, expected = (m(ids_of(learned))[0] for m in (copied, model.model))
    assert torch.allclose(found, expected, atol=1e-5)


def test_one_tuned_model_learns_on_from_another(learned):
    first = tuned(learned, "lora")
    second = tuned(first, "lora")
    assert second.losses[0] < first.losses[0]
    count = sum(isinstance(m, LoRALinear) for m in second.model.modules())
    assert count == 4


def test_fitted_again_it_begins_again(learned):
    model = tuned(learned, "lora")
    first = model.losses
    assert model.fit(TASK, 2).losses == first
    other = FineTunedModel(learned, train=dataclasses.replace(TRAIN, seed=1))
    assert other.fit(TASK, 2).losses != tuned(learned).losses


def test_the_global_generators_are_left_alone(learned):
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    tuned(learned, "lora")
    assert torch.equal(torch.rand(1), expected)


def test_nats_are_the_mean_of_all_answers_tokens(learned):
    task = [("ab?", "cde"), ("f", "a")]
    encoder = ExampleEncoder(learned.tokenizer, 17)
    losses = [
        answer_loss(learned.model, batch_of([encoder.example(*pair)], "cpu")).item()
        for pair in task
    ]
    expected = (4 * losses[0] + 2 * losses[1]) / 6
    assert answer_nats(learned, task) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("method", ["full", "lora"])
def test_what_is_saved_is_loaded_with_the_change_in_it(tmp_path, learned, method):
    start = PretrainedModel(dataclasses.replace(learned.model.config, tied=True))
    start.fit("abc?ba\nbca?jj\n" * 20, 1)
    task = [("ab?", "ba"), ("ca?", "ac")]
    model = FineTunedModel(start, method, train=TRAIN).fit(task, 2)
    model.save(tmp_path)
    loaded = PretrainedModel.load(tmp_path)
    found, expected = (answer_nats(m, task) for m in (loaded, model))
    assert found == pytest.approx(expected, rel=1e-5)
    assert loaded.tokenizer.tokens == start.tokenizer.tokens


def test_a_loss_that_is_not_finite(learned):
    with torch.no_grad():
        learned.model.output.weight.fill_(torch.nan)
    with pytest.raises(Diverged, match="a learning rate below 0.02 may help"):
        tuned(learned)


def test_bad_options_are_named(learned):
    with pytest.raises(InputError, match='"full" or "lora", got \'all\''):
        FineTunedModel(learned, "all")
    with pytest.raises(InputError, match='lora is for method="lora"'):
        FineTunedModel(learned, lora=LORA)
    with pytest.raises(InputError, match="item 0 must be a tuple of texts"):
        FineTunedModel(learned).fit(["ab"])
    with pytest.raises(InputError, match="epochs must be"):
        FineTunedModel(learned, train=TRAIN).fit(TASK, 0)
    with pytest.raises(InputError, match="nothing to learn from: expected tuples"):
        FineTunedModel(learned).fit(None)
    new = PretrainedModel(learned.model.config)
    for early in (
        lambda: FineTunedModel(new).fit(TASK),
        lambda: new.save("never"),
        lambda: FineTunedModel(learned).save("never"),
        lambda: FineTunedModel(learned, "lora").merge(),
        lambda: DPOModel(learned).accuracy([("a", "b", "c")]),
    ):
        with pytest.raises(InputError, match="learned nothing yet: call its fit"):
            early()
    assert not Path("never").exists()
    for corpus in (5, None):
        with pytest.raises(InputError, match="a corpus is one text, texts or token"):
            new.fit(corpus)


def test_a_tied_output_layer_is_not_changed_by_lora(learned):
    config = dataclasses.replace(learned.model.config, tied=True)
    tied = SimpleNamespace(
        model=type(learned.model)(config), tokenizer=learned.tokenizer
    )
    with pytest.raises(InputError, match="whose matrix is the embedding's too"):
        FineTunedModel(tied, "lora", lora=LoRAConfig(targets=("output",))).fit(TASK)
