"""Encoders and decoders: against PyTorch, written out, and whatever the padding."""

import itertools

import pytest
import torch
from torch import nn

from lmbook.errors import InputError
from lmbook.generation import GREEDY, beam_search, generate
from lmbook.models.additive_attention import AdditiveAttention
from lmbook.models.encoder_decoder import END, Conditioned, Encoded
from lmbook.models.lstm import LSTMCell
from lmbook.models.padding import Padded
from lmbook.models.seq2seq import Decoder, Encoder
from lmbook.models.translation_model import Seq2Seq, Seq2SeqConfig

BATCH, SOURCE, TARGET, SIZE, V, W = 3, 7, 5, 12, 17, 19
SOURCES = [[3, 1, 4, 1, 5, 9, 2], [6, 5], [16, 8, 9, 7]]
TARGETS = [[18, 4, 6, 0], [18, 2, 0], [18, 3, 6, 0, 11]]
KINDS = {
    "fixed": {"architecture": "fixed", "num_layers": 2},
    "reverse": {"architecture": "fixed", "reverse": True},
    "attention": {"architecture": "attention", "num_layers": 2},
    "bidirectional": {
        **{"architecture": "attention", "bidirectional": True, "residual": True}
    },
    "transformer": {"architecture": "transformer", "num_layers": 2, "num_heads": 3},
}
WITH_ATTENTION = ("attention", "bidirectional", "transformer")


def model_of(kind, seed=0, **options):
    sizes = {"size": SIZE, **KINDS[kind], **options}
    return Seq2Seq.seeded(Seq2SeqConfig(V, W, **sizes), seed).double().eval()


@pytest.fixture(params=KINDS)
def model(request):
    return model_of(request.param)


# ---- padding -------------------------------------------------------------------------


def filled(rows, width, vocab_size):
    """The same rows, padded further and with arbitrary ids."""
    ids = torch.randint(vocab_size, (len(rows), width))
    for row, given in zip(ids, rows, strict=True):
        row[: len(given)] = torch.tensor(given)
    return Padded(ids, torch.tensor([*map(len, rows)]))


def test_padding_never_changes_a_result(model):
    """Logits, loss, gradients, translations, weights of attention: batch or alone."""
    found = []
    for extra in (0, 4):
        torch.manual_seed(extra)
        source = filled(SOURCES, SOURCE + extra, V)
        target = filled(TARGETS, TARGET + extra, W)
        model.zero_grad()
        nats, count = model.loss(source, target)
        nats.backward()
        assert count == sum(len(row) - 1 for row in TARGETS)
        found.append([nats, *(p.grad for p in model.parameters())])
    for one, other in zip(*found, strict=True):
        assert torch.allclose(one, other, rtol=0, atol=1e-14)

    logits = model(source, target)
    written = model.decoder.decode_batch(model.encode(source), 9)
    alone = []
    for i, (x, y) in enumerate(zip(SOURCES, TARGETS, strict=True)):
        single = model(Padded.of([x]), Padded.of([y]))[0]
        assert single.shape == (len(y) - 1, W)
        assert torch.allclose(logits[i, : len(y) - 1], single, rtol=0, atol=1e-14)
        alone.append(model.loss(Padded.of([x]), Padded.of([y]), "sum")[0])
        assert model.decoder.decode(model.encoder.encode(x), 9) == written[i]
    assert sum(alone).item() == pytest.approx(nats.item() * count, abs=1e-12)


@pytest.mark.parametrize("kind", WITH_ATTENTION)
def test_attention_looks_at_no_padding(kind):
    model = model_of(kind)
    source, ids = filled(SOURCES, 9, V), torch.randint(W, (BATCH, TARGET))
    weights = model.decoder.attention_weights(ids, model.encode(source))
    layers = 2 if kind == "transformer" else 1
    heads = 3 if kind == "transformer" else 1
    assert weights.shape == (BATCH, layers, heads, TARGET, 9)
    assert torch.allclose(weights.sum(-1), torch.ones((), dtype=torch.float64))
    for row, x in zip(weights, SOURCES, strict=True):
        assert not row[..., len(x) :].any()
        assert (row[..., : len(x)] > 0).all()


def test_without_attention_there_is_nothing_to_draw():
    model = model_of("fixed")
    ids, encoded = torch.zeros(1, 2).long(), model.encode(Padded.of(SOURCES[:1]))
    with pytest.raises(InputError, match="no attention"):
        model.decoder.attention_weights(ids, encoded)


# ---- the parts -----------------------------------------------------------------------


def test_additive_attention_term_by_term():
    torch.manual_seed(0)
    attention = AdditiveAttention(SIZE).double()
    memory = torch.randn(BATCH, SOURCE, SIZE, dtype=torch.float64, requires_grad=True)
    query = torch.randn(BATCH, 2, SIZE, dtype=torch.float64, requires_grad=True)
    mask = filled(SOURCES, SOURCE, V).mask
    inputs = (query, attention.keys(memory), memory, mask)
    context, weights = attention(*inputs)
    w, u, b = attention.query.weight, attention.key.weight, attention.key.bias
    v = attention.score.weight[0]
    for i, t in itertools.product(range(BATCH), range(2)):
        places = range(len(SOURCES[i]))
        e = [v @ torch.tanh(w @ query[i, t] + u @ memory[i, j] + b) for j in places]
        total = sum(x.exp() for x in e)
        expected = sum(e[j].exp() / total * memory[i, j] for j in places)
        assert torch.allclose(context[i, t], expected, rtol=0, atol=1e-13)
        assert weights[i, t, len(SOURCES[i]) :].eq(0).all()

    def both(query, memory):
        return attention(query, attention.keys(memory), memory, mask)

    assert torch.autograd.gradcheck(both, (query, memory))


@pytest.mark.parametrize("reverse", [False, True])
def test_the_encoder_ends_where_a_row_ends(reverse):
    """Step by step with the cell written out: its last state is the source's vector."""
    torch.manual_seed(1)
    encoder = Encoder(V, SIZE, reverse=reverse).double()
    cell = LSTMCell(SIZE, SIZE).double()
    names = [name for name, _ in cell.named_parameters()]
    cell.load_state_dict({n: getattr(encoder.lstm, f"{n}_l0") for n in names})
    encoded = encoder(filled(SOURCES, 9, V))
    for i, row in enumerate(SOURCES):
        state = torch.zeros(2, 1, SIZE, dtype=torch.float64).unbind()
        for t, token in enumerate(row[::-1] if reverse else row):
            state = cell(encoder.embedding(torch.tensor([token])), state)
            place = len(row) - 1 - t if reverse else t
            assert torch.allclose(encoded.memory[i, place], state[0][0], atol=1e-13)
        for found, expected in zip(encoded.state, state, strict=True):
            assert torch.allclose(found[0, i], expected[0], rtol=0, atol=1e-13)


def test_two_directions_side_by_side():
    torch.manual_seed(1)
    encoder = Encoder(V, SIZE, num_layers=2, bidirectional=True).double()
    encoded = encoder(filled(SOURCES, 9, V))
    x = encoder.embedding(torch.tensor([SOURCES[2]]))
    memory, (h, c) = encoder.lstm(x)
    assert torch.allclose(encoded.memory[2, : len(SOURCES[2])], memory[0], atol=1e-13)
    for found, state in zip(encoded.state, (h, c), strict=True):
        for layer in range(2):
            expected = torch.cat([state[2 * layer, 0], state[2 * layer + 1, 0]])
            assert torch.allclose(found[layer, 2], expected, rtol=0, atol=1e-13)


def test_attention_in_the_decoder_written_out():
    """s_t = LSTM(y_{t-1}, s_{t-1}), c_t of s_t; W_o tanh(W_r [s_t; c_t])."""
    torch.manual_seed(2)
    decoder = Decoder(W, SIZE, attention=True).double()
    encoded = Encoder(V, SIZE).double()(Padded.of(SOURCES[:1]))
    cell = LSTMCell(SIZE, SIZE).double()
    names = [name for name, _ in cell.named_parameters()]
    cell.load_state_dict({n: getattr(decoder.lstm, f"{n}_l0") for n in names})
    ids = torch.tensor([TARGETS[0]])
    logits, _ = decoder(ids, decoder.start(encoded))
    h, c = (state[0] for state in encoded.state)
    keys = decoder.attention.keys(encoded.memory)
    for t, token in enumerate(TARGETS[0]):
        y = decoder.embedding.weight[token] * SIZE**0.5
        h, c = cell(y[None], (h, c))
        context, _ = decoder.attention(h[None], keys, encoded.memory, encoded.mask)
        hidden = torch.tanh(decoder.readout(torch.cat([h, context[0]], dim=1)))
        expected = decoder.output(hidden)[0]
        assert torch.allclose(logits[0, t], expected, rtol=0, atol=1e-13)


def test_gradients_of_the_whole_loss(model):
    """A central difference in a random direction of all parameters."""
    source, target = filled(SOURCES, SOURCE, V), filled(TARGETS, TARGET, W)
    model.loss(source, target)[0].backward()
    generator = torch.Generator().manual_seed(3)
    parameters = list(model.parameters())
    way = [torch.randn(p.shape, dtype=p.dtype, generator=generator) for p in parameters]
    expected = sum((d * p.grad).sum() for d, p in zip(way, parameters, strict=True))
    losses = []
    with torch.no_grad():
        for step in (1e-6, -2e-6):
            for d, p in zip(way, parameters, strict=True):
                p += step * d
            losses.append(model.loss(source, target)[0])
    slope = (losses[0] - losses[1]) / 2e-6
    assert slope.item() == pytest.approx(expected.item(), rel=1e-6)


# ---- writing -------------------------------------------------------------------------


def test_token_by_token_as_all_at_once(model):
    encoded = model.encode(Padded.of(SOURCES))
    ids = torch.randint(W, (BATCH, TARGET))
    whole, _ = model.decoder(ids, model.decoder.start(encoded))
    state, parts = model.decoder.start(encoded), []
    with torch.no_grad():
        for column in ids.split([1, 2, 1, 1], dim=1):
            logits, state = model.decoder(column, state)
            parts.append(logits)
    assert torch.allclose(torch.cat(parts, dim=1), whole, rtol=0, atol=1e-13)


def test_a_state_is_a_value_and_its_rows_can_be_chosen(model):
    decoder = model.decoder
    ids = torch.randint(W, (BATCH, 2))
    with torch.no_grad():
        encoded = model.encode(Padded.of(SOURCES))
        _, state = decoder(ids, decoder.start(encoded))
        rows = torch.tensor([2, 0, 2, 1])
        chosen = decoder.select_state(state, rows)
        following = torch.tensor([[1], [2], [3], [4]])
        first, _ = decoder(following, chosen)
        second, _ = decoder(following, chosen)
    assert torch.equal(first, second)
    for i, row in enumerate(rows.tolist()):
        ids_alone = torch.cat([ids[row], following[i]])[None]
        encoded = model.encode(Padded.of([SOURCES[row]]))
        alone, _ = decoder(ids_alone, decoder.start(encoded))
        assert torch.allclose(first[i, 0], alone[0, -1], rtol=0, atol=1e-13)
    fresh = decoder.select_state(decoder.start(model.encode(Padded.of(SOURCES))), rows)
    assert decoder(following, fresh)[0].shape == (4, 1, W)


def test_greedy_is_generate_and_one_beam(model):
    encoded = model.encoder.encode(SOURCES[0])
    found = model.decoder.decode(encoded, 8, begin=5, end=11)
    given = Conditioned(model.decoder, encoded)
    [drawn] = generate(given, [[5]], 8, GREEDY, end=11)
    assert [i for i in drawn if i != 11] == found
    for penalty in (0.0, 1.0, 2.5):
        [beam] = beam_search(given, [5], 8, 1, penalty, end=11)
        assert [i for i in beam.ids if i != 11] == found


def test_beams_find_the_best_of_all(model):
    """With as many beams as there are beginnings nothing is missed."""
    encoded = model.encoder.encode(SOURCES[2])
    given = Conditioned(model.decoder, encoded)
    most, penalty = 2, 0.7
    found = beam_search(given, [1], most, beams=W**most, length_penalty=penalty, end=0)
    with torch.no_grad():
        first = given(torch.tensor([[1]]))[0][0, -1].log_softmax(-1)
        best = first[0].item()  # ends at once: length 1
        for i in range(1, W):
            pair = given(torch.tensor([[1, i]]))[0][0, -1].log_softmax(-1)
            best = max(best, (first[i] + pair.max()).item() / most**penalty)
    assert found[0].score == pytest.approx(best, abs=1e-9)


def test_the_public_names_of_section_3_4():
    torch.manual_seed(0)
    for attention in (False, True):
        encoded = Encoder(vocab_size=V, size=10).encode([4, 2, 9])
        assert isinstance(encoded, Encoded)
        output = Decoder(vocab_size=W, size=10, attention=attention).decode(encoded)
        assert len(output) <= 50
        assert END not in output
        assert set(output) <= set(range(W))


def test_encoding_leaves_the_mode_alone(model):
    model.train()
    model.encoder.encode(SOURCES[0])
    model.decoder.decode(model.encoder.encode(SOURCES[0]), 3)
    assert model.training
    assert model.encoder.training
    assert model.decoder.training


def test_dropout_is_for_training_alone():
    for kind in KINDS:
        model = model_of(kind, dropout=0.4)
        source, target = Padded.of(SOURCES), Padded.of(TARGETS)
        assert torch.equal(model(source, target), model(source, target))
        model.train()
        assert not torch.equal(model(source, target), model(source, target))


# ---- learning ------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_it_learns_a_few_pairs_by_heart(kind):
    by_heart = [*TARGETS[:2], [18, 3, 6, 11, 0]]
    model = Seq2Seq.seeded(Seq2SeqConfig(V, W, size=24, **KINDS[kind]), 1)
    source, target = Padded.of(SOURCES), Padded.of(by_heart)
    optimizer = torch.optim.Adam(model.parameters(), 1e-2)
    for _ in range(150):
        optimizer.zero_grad()
        nats, _ = model.loss(source, target)
        nats.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
    assert nats.item() < 0.1
    written = model.decoder.decode_batch(model.encode(source), 8, begin=18)
    assert written == [[4, 6], [2], [3, 6, 11]]
    for x in SOURCES:  # more beams: no worse by the score they go by
        given = Conditioned(model.decoder, model.encoder.encode(x))
        scores = [beam_search(given, [18], 8, b, end=0)[0].score for b in (1, 4)]
        assert scores[1] >= scores[0] - 1e-6


def test_the_same_seed_is_the_same_model():
    one, same, other = (model_of("attention", seed) for seed in (4, 4, 5))
    weights = [torch.cat([p.flatten() for p in m.parameters()]) for m in (one, same)]
    assert torch.equal(*weights)
    assert not torch.equal(one.decoder.output.weight, other.decoder.output.weight)


@pytest.mark.parametrize("kind", KINDS)
def test_tied_vectors_are_one_matrix(kind):
    sizes = {"size": SIZE, **KINDS[kind]}
    model = Seq2Seq(Seq2SeqConfig(W, W, tied=True, **sizes))
    shared = model.decoder.output.weight
    assert model.encoder.embedding.weight is shared
    assert model.decoder.embedding.weight is shared
    free = Seq2Seq(Seq2SeqConfig(W, W, **sizes))
    counts = [sum(p.numel() for p in m.parameters()) for m in (free, model)]
    assert counts[0] - counts[1] == 2 * W * SIZE


# ---- what is refused -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"architecture": "rnn"}, "one of fixed, attention, transformer; got 'rnn'"),
        ({"size": 0}, "size must be at least 1, got 0"),
        ({"num_layers": 0}, "num_layers"),
        ({"dropout": 1.0}, "dropout must be at least 0 and below 1, got 1.0"),
        (
            {"architecture": "transformer", "reverse": True},
            "reverse is a choice of LSTMs",
        ),
        ({"tied": True}, "one vocabulary, got sizes 17 and 19"),
        ({"size": 9, "bidirectional": True}, "an even size, got 9"),
        ({"architecture": "transformer", "size": 10}, "num_heads must divide"),
        ({"architecture": "transformer", "size": 12}, "even head_dim"),
    ],
)
def test_sizes_that_do_not_fit(options, message):
    with pytest.raises(InputError, match=message):
        Seq2Seq(Seq2SeqConfig(V, W, **options))


def test_input_that_does_not_fit(model):
    with pytest.raises(InputError, match="id 17 is unknown: accepted are 0 to 16"):
        model.encoder.encode([1, V])
    for ids, named in (("你好", "'你'"), ([1.7], "1.7"), ([None], "None")):
        with pytest.raises(InputError, match=f"id {named} is unknown"):
            model.encoder.encode(ids)
    with pytest.raises(InputError, match="at least one token"):
        model.encoder.encode([])
    with pytest.raises(InputError, match="what an encoder's encode gave, got a list"):
        model.decoder.decode([3])
    encoded = model.encode(Padded.of(SOURCES))
    with pytest.raises(InputError, match="one encoded sequence, got 3"):
        model.decoder.decode(encoded)
    with pytest.raises(InputError, match="id 19 is unknown"):
        model.decoder.decode_batch(encoded, begin=W)
    with pytest.raises(InputError, match="length must be at least 0, got -1"):
        model.decoder.decode_batch(encoded, -1)
    assert model.decoder.decode_batch(encoded, 0) == [[], [], []]
    with pytest.raises(InputError, match="one to begin, one to end"):
        model.loss(Padded.of(SOURCES), Padded.of([[1], [1, 2], [3]]))


def test_an_encoder_and_a_decoder_must_fit():
    encoded = Encoder(V, 10, num_layers=2).encode([1])
    with pytest.raises(InputError, match=r"\(1, 1, 10\).*got \[\(2, 1, 10\)"):
        Decoder(W, 10).decode(encoded)
