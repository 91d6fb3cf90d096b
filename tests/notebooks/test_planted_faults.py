"""A fault in lmbook is caught by the notebook that teaches what it breaks.

Each fault is planted in a copy of the project, and the notebook's own tests are run
there.  What counts is an assertion in a cell or an output that differs; a cell that
shows lmbook's source differs of course, and does not count, nor does staleness.
"""

import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from tools.notebooks.paths import ROOT, book_notebooks, read, write

IDEAS = "ch02_core_concepts/s2_core_ideas.ipynb"
NETWORK = "ch03_core_algorithms/s1_neural_network.ipynb"
BACKPROPAGATION = "ch03_core_algorithms/s2_backpropagation.ipynb"
ONE_ENGINE = "ch03_core_algorithms/s2_language.ipynb"
WORD_VECTORS = "ch03_core_algorithms/s3_word_vectors.ipynb"
COMPARISON = "ch03_core_algorithms/s3_comparison.ipynb"
TOKENISATION = "ch03_core_algorithms/s7_tokenisation.ipynb"
GRADIENTS = "ch04_mathematics/s2_gradients.ipynb"
ACTIVATIONS = "ch04_mathematics/s1_activations.ipynb"
SIMILARITY = "ch04_mathematics/s3_similarity.ipynb"
REAL_VECTORS = "ch04_mathematics/s3_real_vectors.ipynb"
CELL = "ch05_project/s2_lstm.ipynb"
LANGUAGE_MODEL = "ch05_project/s2_language_model.ipynb"
TRAINING = "ch05_project/s3_training.ipynb"
LONG_RUNS = "ch05_project/s3_long_runs.ipynb"
GENERATION = "ch06_applications/s1_text_generation.ipynb"
SHOWS_SOURCE = re.compile(r"\b(show_source|getsource)\(")


@dataclass(frozen=True)
class Fault:
    """``right`` stands exactly once in ``module``; the fault is ``wrong``."""

    name: str
    module: str
    right: str
    wrong: str
    notebook: str


FAULTS = [
    Fault(
        "contexts whose probability is not smoothed",
        "embeddings/pmi.py",
        "column_sums**context_smoothing, 0",
        "column_sums, 0",
        WORD_VECTORS,
    ),
    Fault(
        "the true word taken for one of the noise",
        "embeddings/word2vec_steps.py",
        "t[0] = 1",
        "t[0] = 0",
        WORD_VECTORS,
    ),
    Fault(
        "a window that is always as wide as it may be",
        "embeddings/word2vec_kernels.py",
        "reach = 1 + below(random_bits(state), window)",
        "reach = window + 0 * below(random_bits(state), window)",
        WORD_VECTORS,
    ),
    Fault(
        "the step of a word by its own vector",
        "embeddings/glove_kernels.py",
        "w_slope = slope * c[d]",
        "w_slope = slope * w[d]",
        WORD_VECTORS,
    ),
    Fault(
        "an analogy the wrong way round",
        "embeddings/vectors.py",
        "unit[1] - unit[0] + unit[2]",
        "unit[0] - unit[1] + unit[2]",
        COMPARISON,
    ),
    Fault(
        "neighbours chosen by inner product",
        "embeddings/vectors.py",
        "(self.vectors @ query.astype(np.float32)) * self._inverse_norms",
        "(self.vectors @ query.astype(np.float32)) * 1.0",
        REAL_VECTORS,
    ),
    Fault(
        "the pair that was learned last is merged first",
        "text/bpe.py",
        "_, place = min(ranks)",
        "_, place = max(ranks)",
        TOKENISATION,
    ),
    Fault(
        "a count that does not fall when its pair is broken",
        "text/bpe_training.py",
        "counts[right, ids[after]] -= count",
        "counts[right, ids[after]] -= 0",
        TOKENISATION,
    ),
    Fault(
        "a step uphill",
        "backprop/optim.py",
        "parameter.data -= learning_rate * part",
        "parameter.data += learning_rate * part",
        IDEAS,
    ),
    Fault(
        "a layer without its bias",
        "backprop/layers.py",
        "(x @ self.weight.T + self.bias)",
        "(x @ self.weight.T)",
        NETWORK,
    ),
    Fault(
        "a bend after the last layer",
        "backprop/layers.py",
        "[activation] * (len(sizes) - 2) + [output]",
        "[activation] * (len(sizes) - 1)",
        NETWORK,
    ),
    Fault(
        "gradients of two uses, one of them lost",
        "backprop/tensor.py",
        "part if known is None else known + part",
        "part",
        BACKPROPAGATION,
    ),
    Fault(
        "one factor's gradient given to both",
        "backprop/tensor.py",
        "lambda g: (g * b, g * a)",
        "lambda g: (g * b, g * b)",
        BACKPROPAGATION,
    ),
    Fault(
        "the square in the slope of tanh",
        "backprop/functions.py",
        "lambda g: (g * (1 - y * y),)",
        "lambda g: (g * (1 - y),)",
        BACKPROPAGATION,
    ),
    Fault(
        "a part of the gradient that layer normalisation takes out",
        "backprop/functions.py",
        "(g - g.mean(axis=-1, keepdims=True) - along)",
        "(g - along)",
        BACKPROPAGATION,
    ),
    Fault(
        "momentum that remembers nothing",
        "backprop/optim.py",
        "velocity *= self.momentum",
        "velocity *= 0",
        BACKPROPAGATION,
    ),
    Fault(
        "Adam that starts from zero and does not make up for it",
        "backprop/optim.py",
        "self.learning_rate / (1 - beta1**t) * first / size",
        "self.learning_rate * first / size",
        BACKPROPAGATION,
    ),
    Fault(
        "ReLU layers initialised like tanh layers",
        "backprop/layers.py",
        "(activation not in HALVING) * out_features",
        "out_features",
        BACKPROPAGATION,
    ),
    Fault(
        "half of the answer in the gradient of cross-entropy",
        "backprop/functions.py",
        "gradient[rows, right] -= share",
        "gradient[rows, right] -= share / 2",
        ONE_ENGINE,
    ),
    Fault(
        "Kneser-Ney without its discount",
        "text/ngram.py",
        "kept = counts - _discount(counts, level.discounts)",
        "kept = counts",
        ONE_ENGINE,
    ),
    Fault(
        "a mask that shows the next word",
        "backprop/language.py",
        "-np.inf, x.dtype), 1)",
        "-np.inf, x.dtype), 2)",
        ONE_ENGINE,
    ),
    Fault(
        "the sign of a derivative",
        "activations.py",
        "return sigmoid(x) * sigmoid(-x)",
        "return -sigmoid(x) * sigmoid(-x)",
        ACTIVATIONS,
    ),
    Fault(
        "a derivative that is half of it, in backpropagation",
        "activations.py",
        "return sigmoid(x) * sigmoid(-x)",
        "return 0.5 * sigmoid(x) * sigmoid(-x)",
        GRADIENTS,
    ),
    Fault(
        "the factor 2 of the chain rule in tanh",
        "activations.py",
        "return 4 * _sigmoid_slope(2 * np.clip",
        "return 2 * _sigmoid_slope(2 * np.clip",
        ACTIVATIONS,
    ),
    Fault(
        "the wrong axis in softmax",
        "activations.py",
        "def softmax(x: ArrayLike, axis: int = -1)",
        "def softmax(x: ArrayLike, axis: int = 0)",
        ACTIVATIONS,
    ),
    Fault(
        "softmax without its largest score taken away",
        "activations.py",
        "half = half - half.max(axis=axis, keepdims=True)",
        "half = half - 0",
        ACTIVATIONS,
    ),
    Fault(
        "log-softmax as the logarithm of softmax",
        "activations.py",
        "return shifted - np.log(total)",
        "return np.log(np.exp(shifted) / total)",
        ACTIVATIONS,
    ),
    Fault(
        "two digits swapped in GELU's constant",
        "activations.py",
        "GELU_CUBIC = 0.044715",
        "GELU_CUBIC = 0.047415",
        ACTIVATIONS,
    ),
    Fault(
        "half of the product rule in SiLU's derivative",
        "activations.py",
        "return sigmoid(x) + np.clip(x, -1e3, 1e3) * _sigmoid_slope(x)",
        "return sigmoid(x)",
        ACTIVATIONS,
    ),
    Fault(
        "the leaky slope",
        "activations.py",
        "def leaky_relu(x: ArrayLike, negative_slope: float = 0.01)",
        "def leaky_relu(x: ArrayLike, negative_slope: float = 0.1)",
        ACTIVATIONS,
    ),
    Fault(
        "the slope at the kink of ReLU",
        "activations.py",
        "slope = np.where(x > 0,",
        "slope = np.where(x >= 0,",
        ACTIVATIONS,
    ),
    Fault(
        "perplexity with the wrong base",
        "metrics.py",
        "return math.exp(_checked(nats))",
        "return 2 ** _checked(nats)",
        ACTIVATIONS,
    ),
    Fault(
        "Pearson without centring",
        "similarity.py",
        "return scaled - scaled.mean()",
        "return scaled",
        SIMILARITY,
    ),
    Fault(
        "the square root of the norm",
        "similarity.py",
        "return scaled / np.sqrt(scaled @ scaled)",
        "return scaled / (scaled @ scaled)",
        SIMILARITY,
    ),
    Fault(
        "no direction taken for a direction",
        "similarity.py",
        "if not vector.any():",
        "if False:",
        SIMILARITY,
    ),
    Fault(
        "a dropped forget gate",
        "models/lstm.py",
        "c = f * c + i * g",
        "c = c + i * g",
        CELL,
    ),
    Fault(
        "swapped gates",
        "models/lstm.py",
        "i, f, g, o = gates.chunk(4, dim=1)",
        "f, i, g, o = gates.chunk(4, dim=1)",
        CELL,
    ),
    Fault(
        "the memory shown without its tanh",
        "models/lstm.py",
        "h = o * torch.tanh(c)",
        "h = o * c",
        CELL,
    ),
    Fault(
        "targets that are the inputs, not one step ahead",
        "text/batches.py",
        "ids[1 : used + 1]",
        "ids[:used]",
        LANGUAGE_MODEL,
    ),
    Fault(
        "rows that do not go on where they left off",
        "training/run.py",
        "self._windows = list(pairwise(cuts))",
        "self._windows = list(pairwise(cuts))[::-1]",
        LANGUAGE_MODEL,
    ),
    Fault(
        "no state carried from window to window in training",
        "training/trainer.py",
        "run.states[number] = detach(state)",
        "run.states[number] = None",
        LANGUAGE_MODEL,
    ),
    Fault(
        "biases of the output layer without their gradient",
        "models/losses.py",
        "db += p.sum(0)",
        "db += 0",
        TRAINING,
    ),
    Fault(
        "a mask for every time step",
        "models/dropout.py",
        "x.new_ones(batch, 1, features)",
        "torch.ones_like(x)",
        LONG_RUNS,
    ),
    Fault(
        "recurrent weights that are not dropped",
        "models/dropout.py",
        "dropout(self.weight_hh_l0, self.weight_drop)",
        "self.weight_hh_l0",
        LONG_RUNS,
    ),
    Fault(
        "the mean of the weights that is the last of them",
        "training/optimizers.py",
        "self.weights[name].lerp_(weight, 1 / n)",
        "self.weights[name].lerp_(weight, 1.0)",
        LONG_RUNS,
    ),
    Fault(
        "a run gone on with without the optimiser's memory",
        "training/run.py",
        "self.optimizer.load_state_dict(state)",
        "pass",
        LONG_RUNS,
    ),
    Fault(
        "a temperature that sharpens where it should flatten",
        "generation/sampling.py",
        "return (logits - largest) / temperature",
        "return (logits - largest) * temperature",
        GENERATION,
    ),
    Fault(
        "a nucleus without the token that completes it",
        "generation/sampling.py",
        "outside = enough.roll(1, -1)",
        "outside = enough.clone()",
        GENERATION,
    ),
    Fault(
        "min-p that does not look at the largest probability",
        "generation/sampling.py",
        "probs < p * probs.amax(-1, keepdim=True)",
        "probs < p",
        GENERATION,
    ),
]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_fault_can_be_planted(fault: Fault):
    source = (ROOT / "lmbook" / fault.module).read_text("utf-8")
    assert source.count(fault.right) == 1
    assert (ROOT / "book" / fault.notebook).is_file()


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of all that the notebooks' tests need; cells with source are exempt."""
    root = tmp_path_factory.mktemp("copy")
    ignored = shutil.ignore_patterns("__pycache__", ".ipynb_checkpoints", "vendor")
    for name in ("lmbook", "book", "tools", "tests/notebooks", "benchmarks/results"):
        shutil.copytree(ROOT / name, root / name, ignore=ignored)
    for name in ("pyproject.toml", "requirements.txt"):
        shutil.copy(ROOT / name, root)
    for path in book_notebooks(root / "book"):
        notebook = read(path)
        for cell in notebook.cells:
            if cell.cell_type == "code" and SHOWS_SOURCE.search(cell.source):
                exempt = {"compare": "own", "reason": "it shows source"}
                cell.metadata["lmbook"] = exempt
        write(notebook, path)
    return root


def first_failure(copy: Path, notebook: str) -> str:
    """Run the notebook's tests in the copy up to the first failure, and describe it."""
    command = [
        *(sys.executable, "-m", "pytest", "tests/notebooks/test_outputs.py", "-x"),
        *("-m", "not full", "-k", notebook, "--color=no"),
    ]
    run = subprocess.run(command, cwd=copy, stdout=subprocess.PIPE, text=True)
    assert run.returncode in (0, 1), run.stdout
    found = re.search(r"^\S+, (cell \d+: .*)\n((?:.+\n)*)", run.stdout, re.MULTILINE)
    if found is None:
        assert run.returncode == 0, run.stdout
        return ""
    raised = "caused an exception" in found[2]
    return f"{'an assertion' if raised else 'the output'} of {found[1]}"


@cache
def failure_without_a_fault(copy: Path, notebook: str) -> str:
    """Were there one, it would be taken for the catch of every fault."""
    return first_failure(copy, notebook)


@pytest.mark.full
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_planted_fault_is_caught(
    copy: Path, fault: Fault, capsys: pytest.CaptureFixture[str]
):
    assert failure_without_a_fault(copy, fault.notebook) == ""
    path = copy / "lmbook" / fault.module
    right = path.read_text("utf-8")
    path.write_text(right.replace(fault.right, fault.wrong), "utf-8")
    try:
        caught = first_failure(copy, fault.notebook)
    finally:
        path.write_text(right, "utf-8")
    assert caught, f"{fault.name}: no cell of {fault.notebook} caught it"
    with capsys.disabled():
        print(f"\n{fault.name}: caught in {fault.notebook} by {caught}")
