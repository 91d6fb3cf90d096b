"""The calculators' JavaScript held to lmbook.industry, over random inputs."""

import numpy as np
import pytest

from lmbook.errors import InputError
from lmbook.industry import costs, facts
from lmbook.widgets.calculator import SETTINGS, Calculator, in_page
from tests.widgets.test_explorers import in_javascript

ESM = Calculator._esm


def same(script: str, cases: list, expected: list) -> None:
    found = in_javascript(ESM, f"data.map((x) => {script})", cases)
    assert len(found) == len(cases) > 10
    found = np.array(found, dtype=float)  # whole numbers past 2**63, too
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=0)


def log_uniform(rng, low: float, high: float, size: int = 60) -> list[float]:
    return np.exp(rng.uniform(np.log(low), np.log(high), size)).tolist()


def shapes(rng, count: int = 40) -> list[costs.TransformerShape]:
    found = []
    for _ in range(count):
        kv_heads = int(rng.integers(1, 9))
        found.append(
            costs.TransformerShape(
                vocab_size=int(rng.integers(100, 200_000)),
                hidden_size=int(rng.integers(16, 9000)),
                num_layers=int(rng.integers(1, 130)),
                num_heads=kv_heads * int(rng.integers(1, 17)),
                num_kv_heads=kv_heads,
                head_dim=int(rng.integers(8, 200)),
                ffn_size=int(rng.integers(16, 60_000)),
                gated=bool(rng.integers(2)),
                tied=bool(rng.integers(2)),
                positions=int(rng.integers(0, 5000)),
                biases=bool(rng.integers(2)),
                norm=str(rng.choice(["layer", "rms"])),
                qk_norm=bool(rng.integers(2)),
                embedding_norm=bool(rng.integers(2)),
            )
        )
    return found


def test_counts_of_a_transformer():
    rng = np.random.default_rng(0)
    tried = [(s, float(rng.integers(0, 9000))) for s in shapes(rng)]
    data = [[in_page(s), n] for s, n in tried]
    parameters = [costs.transformer_parameters(s) for s, _ in tried]
    same("m.transformerParameters(x[0])", data, parameters)
    flops = [costs.transformer_flops(s, n) for s, n in tried]
    same("m.transformerFlops(x[0], x[1])", data, flops)


def test_training_hours_money_energy():
    rng = np.random.default_rng(1)
    a, b, c, d = (
        log_uniform(rng, *ends)
        for ends in ((1e6, 1e13), (1e6, 1e14), (1e-2, 1), (1, 1e5))
    )
    rules = rng.choice(["6ND", "8ND", "3ND"], 60).tolist()
    rows = list(zip(a, b, c, d, rules, strict=True))
    same(
        "m.trainingFlops(x[0], x[1], x[4])",
        rows,
        [costs.training_flops(n, t, r) for n, t, _, _, r in rows],
    )
    same(
        "m.deviceHours(x[0], x[1], x[2])",
        rows,
        [costs.device_hours(f, p, u) for f, p, u, _, _ in rows],
    )
    same(
        "m.days(x[0], Math.ceil(x[3]))",
        rows,
        [costs.days(h, int(np.ceil(n))) for h, _, _, n, _ in rows],
    )
    same("m.price(x[0], x[3])", rows, [costs.price(h, u) for h, _, _, u, _ in rows])
    same(
        "m.energyKwh(x[0], x[3], x[2], 1 + x[2])",
        rows,
        [costs.energy_kwh(h, w, u, 1 + u) for h, _, u, w, _ in rows],
    )
    same("m.carbonKg(x[0], x[2])", rows, [costs.carbon_kg(r[0], r[2]) for r in rows])


def test_the_scaling_law():
    rng = np.random.default_rng(2)
    for name in ("besiroglu", "hoffmann"):
        law = costs.law(name)
        rows = list(
            zip(
                log_uniform(rng, 1e6, 1e12),
                log_uniform(rng, 1e6, 1e14),
                log_uniform(rng, 1e15, 1e27),
                strict=True,
            )
        )
        data = [[vars(law), *row] for row in rows]
        same("m.loss(x[0], x[1], x[2])", data, [law.loss(n, t) for n, t, _ in rows])
        best = [law.optimum(flops) for _, _, flops in rows]
        found = "(({ params, tokens, loss }) => [params, tokens, loss])"
        same(
            f"{found}(m.optimum(x[0], x[3]))",
            data,
            [[o.params, o.tokens, o.loss] for o in best],
        )


def test_memory_of_training():
    rng = np.random.default_rng(3)
    params = log_uniform(rng, 1e6, 1e13)
    same("m.weightBytes(x, 4.5)", params, [costs.weight_bytes(n, 4.5) for n in params])
    rows = [
        [
            n,
            int(rng.integers(4)),
            int(rng.integers(1, 5000)),
            rng.uniform(0, 9, 3).tolist(),
        ]
        for n in params
    ]
    same(
        "(({ optimizer, gradients, weights }) => optimizer + gradients + weights)"
        "(m.trainingState(x[0], x[1], x[2], x[3]))",
        rows,
        [
            costs.training_state_bytes(
                n, stage, devices, optimizer=o, gradients=g, weights=w
            )
            for n, stage, devices, (o, g, w) in rows
        ],
    )
    default = [costs.training_state_bytes(n, s, d) for n, s, d, _ in rows]
    same(
        "Object.values(m.trainingState(x[0], x[1], x[2])).reduce((a, b) => a + b)",
        rows,
        default,
    )


def test_activations():
    rng = np.random.default_rng(4)
    tried = [
        (
            shape,
            int(rng.integers(1, 99)),
            int(rng.integers(1, 9000)),
            str(rng.choice(["none", "selective", "full"])),
            int(rng.integers(1, 9)),
        )
        for shape in shapes(rng, 60)
    ]
    data = [[in_page(shape), *rest] for shape, *rest in tried]
    expected = [costs.activation_bytes(*row) for row in tried]
    same("m.activationBytes(...x)", data, expected)


def test_caches_of_published_models():
    widget = Calculator("cache")
    rng = np.random.default_rng(5)
    data, expected = [], []
    for model in widget.models:
        for tokens in rng.integers(1, 2_000_000, 4).tolist():
            data.append([model["cache"], tokens, 1])
            expected.append(costs.cache_of(model["name"], tokens, 1))
    assert {m["name"] for m in widget.models} == set(facts.load("architectures").rows)
    same("m.cacheBytes(...x)", data, expected)
    same(
        "m.cacheBytes(x[0], x[1])",
        data,
        [2 * e for e in expected],
    )


def test_serving():
    rng = np.random.default_rng(6)
    offered = Calculator("serving").devices
    fitting = 0
    data, expected, largest = [], [], []
    for _ in range(200):
        chip = offered[rng.integers(len(offered))]
        count = int(rng.integers(1, 17))
        mfu, use, busy = rng.uniform(0.05, 1, 3).tolist()
        params, cache = log_uniform(rng, 1e8, 3e11, 1)[0], rng.integers(1, 2_000_000)
        active = params * rng.uniform(0.05, 1) if rng.integers(2) else None
        load = costs.Load(params, int(cache), float(rng.uniform(0.4, 4)), active)
        machine = costs.Machine(
            chip["name"], count, costs.device(chip["name"]).half, mfu, use
        )
        batch, prompt, output = (int(n) for n in rng.integers(1, 600, 3))
        on = {
            "params": load.params,
            "cacheBytes": load.cache_bytes,
            "weightBytes": load.weight_bytes,
        } | ({"activeParams": active} if active else {})
        data.append([chip, count, mfu, use, on, batch, prompt, output, busy])
        largest.append(costs.largest_batch(load, prompt, machine))
        roof = costs.ridge(machine), costs.roofline_seconds(1e12, 1e9, machine)
        try:
            s = costs.serve(load, machine, batch, prompt, output)
        except InputError:
            expected.append([*roof, 0, 0, 0, 0, 0])
            continue
        fitting += 1
        usd = costs.usd_per_million_tokens(s.tokens_per_second, 1.7, count, busy)
        served = [s.first_token, s.per_token, s.tokens_per_second, s.memory, usd]
        expected.append([*roof, *served])
    assert 40 < fitting < 190
    script = """(() => {
        const [chip, count, mfu, use, load, batch, prompt, output, busy] = x;
        const on = m.machine(chip, count, mfu, use);
        const roof = [m.ridge(on), m.rooflineSeconds(1e12, 1e9, on)];
        const s = m.serve(load, on, batch, prompt, output);
        if (!s) return [...roof, 0, 0, 0, 0, 0];
        const usd = m.usdPerMillionTokens(s.tokensPerSecond, 1.7, count, busy);
        return [...roof, s.firstToken, s.perToken, s.tokensPerSecond, s.memory, usd];
    })()"""
    same(script, data, expected)
    same("m.largestBatch(x[4], x[6], m.machine(x[0], x[1], x[2], x[3]))", data, largest)


def test_margin_and_defaults():
    rows = [[s, c] for s in (0.3, 1, 2.5, 9) for c in (0, 0.3, 4)]
    same("m.margin(x[0], x[1])", rows, [costs.margin(s, c) for s, c in rows])
    machine = costs.Machine("H100 SXM")
    chip = {"peak": machine.device.peak_16bit, "bandwidth": machine.device.bandwidth}
    script = "(({ flops, bytes }) => [flops, bytes])(m.machine(x))"
    same(
        script, [chip] * 11, [[machine.flops_per_second, machine.bytes_per_second]] * 11
    )


def test_what_is_offered():
    training = Calculator("training", params=1e9)
    assert training.settings == SETTINGS["training"] | {"params": 1e9}
    names = {row["name"] for row in training.devices}
    assert {"A100 SXM 80GB", "Ascend 910B", "TPU v6e"} <= names
    assert "Laptop CPU" not in names  # no peak in 16 bits
    served = {row["name"] for row in Calculator("serving").devices}
    assert "Ascend 950DT" not in served  # its memory is not published
    counted = [row["name"] for row in Calculator("memory").models]
    assert "GPT-3 175B" in counted
    assert "OPT-13B" not in counted
    deepseek = {r["name"]: r for r in Calculator("serving").models}["DeepSeek-V3"]
    assert deepseek["activeParams"] == facts.fact("models/DeepSeek-V3/params_active")
    for name, params, tokens in training.runs:
        row = facts.load("models")[name]
        assert params in (row.params_active, row.params_total)
        assert tokens == row.train_tokens


def test_rounding_goes_over_into_the_next_unit():
    page = Calculator._esm + "\nexport { chinese, power };"
    asked = "data.map((x) => [m.chinese(x), m.power(x)])"
    found = in_javascript(page, asked, [99_950_000, 9.996e22, 1.2e-5])
    assert found[0][0] == "1 亿"
    assert found[1][1] == "1.00×10²³"
    assert found[2][1] == "1.20×10⁻⁵"


@pytest.mark.parametrize(
    ("kind", "options", "message"),
    [
        ("price", {}, "kind must be one of training, memory, cache, serving; got 'pr"),
        ("training", {"paramz": 1}, "no option 'paramz'; options: device, params"),
        ("training", {"params": 0}, "params must be a number greater than 0, got 0"),
        ("training", {"params": "7"}, "params must be a number greater than 0"),
        ("training", {"mfu": 1.1}, "mfu must be above 0 and at most 1, got 1.1"),
        (
            "training",
            {"device": "H1000"},
            "device must be one of V100 SXM2.*got 'H1000",
        ),
        ("memory", {"stage": 4}, "stage must be one of 0, 1, 2, 3; got 4"),
        ("memory", {"model": "OPT-13B"}, "model must be one of GPT-2 124M.*'OPT-13B'"),
        ("cache", {"bytes": 4}, "bytes must be one of 1, 2; got 4"),
        ("serving", {"bits": 2}, "bits must be one of 4, 8, 16; got 2"),
        ("training", {"pue": 0.5}, "pue must be a number of at least 1, got 0.5"),
        ("training", {"devices": 1.5}, "devices must be a whole number"),
        ("training", {"params": True}, "params must be a number greater than 0"),
        ("memory", {"stage": True}, "stage must be one of 0, 1, 2, 3; got True"),
        ("cache", {"context": 0.1}, "context must be a whole number"),
        ("serving", {"price": 10**400}, "price must be a number greater than 0"),
    ],
)
def test_what_is_wrong_is_said(kind, options, message):
    with pytest.raises(InputError, match=message):
        Calculator(kind, **options)
