"""What a run leaves in its folder, whatever happens to it."""

import dataclasses
import errno
import json
import os
import pickle
import resource
import shutil
import signal
import subprocess
import sys
import traceback
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from lmbook.errors import InputError
from lmbook.files import sha256, write_sealed
from lmbook.models import tensor_files
from lmbook.models.lstm import LSTMConfig, LSTMLanguageModel
from lmbook.models.tensor_files import NotFinite, read_tensors, write_tensors
from lmbook.text.data import LanguageData
from lmbook.text.tokenizers import WordTokenizer
from lmbook.training import TrainConfig, checkpoint
from lmbook.training.run_folder import RunFolder

CONFIG = LSTMConfig(vocab_size=11, embedding_size=6, hidden_size=8, num_layers=2)
TOKENIZER = WordTokenizer(["<unk>", *map(str, range(10))])
IDS = np.arange(300) % 11
DATA = LanguageData(
    TOKENIZER, IDS[:200], IDS[200:], IDS[:0], {"train": 9, "valid": 7, "test": 0}
)
SETTINGS = {
    "model": dataclasses.asdict(CONFIG),
    "train": dataclasses.asdict(TrainConfig()),
    "data": checkpoint.fingerprint(DATA),
}


def run(step):
    """Tensors and facts of a run after so many steps."""
    torch.manual_seed(step)
    weights = dict(LSTMLanguageModel(CONFIG).named_parameters())
    tensors = {f"best.{name}": weight.detach() for name, weight in weights.items()}
    tensors |= {f"model.{name}": w.detach() + 1 for name, w in weights.items()}
    tensors["optimizer.0.step"] = torch.tensor(float(step))
    facts = {"step": step, "records": [{"step": step}], "weights": "best"}
    return tensors, facts


def opened(path, resume=False, **changed):
    return RunFolder(path, {**SETTINGS, **changed}, TOKENIZER, resume)


def begun(path, steps=(1, 2)):
    """A folder whose run was saved after these steps and is not finished."""
    with opened(path) as folder:
        for step in steps:
            folder.save(*run(step))
    return path


def finished(path):
    with opened(path) as folder:
        folder.save(*run(1))
        folder.finish(*run(2))
    return path


def resumed_step(path):
    """The step that a resumed run goes on from, its tensors seen to be those saved."""
    with opened(path, resume=True) as folder:
        if folder.finished:
            return "finished"
        if folder.state is None:
            return 0
        tensors, facts = folder.state
    expected, _ = run(facts["step"])
    assert tensors.keys() == expected.keys()
    assert all(torch.equal(tensors[name], expected[name]) for name in expected)
    return facts["step"]


def files(path):
    return sorted(p for p in path.rglob("*") if p.is_file())


def names(path):
    return [str(p.relative_to(path)) for p in files(path)]


# Saving and loading


def test_tensors_of_every_kind_come_back_the_same(tmp_path):
    shared = torch.randn(3, 5)
    tensors = {
        "transposed": torch.randn(2, 7).T,
        "one of two": shared,
        "other of two": shared,
        "a part": shared[1:, 2:],
        "number": torch.tensor(3.0),
        "bytes": torch.arange(9, dtype=torch.uint8),
        "half": torch.randn(4).bfloat16(),
        "nothing": torch.empty(0, 2),
        "learned": torch.randn(2, requires_grad=True),
    }
    write_tensors(tmp_path / "t", tensors)
    found = read_tensors(tmp_path / "t")
    assert found.keys() == tensors.keys()
    for name, tensor in tensors.items():
        assert found[name].dtype == tensor.dtype
        assert torch.equal(found[name], tensor.detach()), name


def test_a_run_goes_on_from_what_was_saved_last(tmp_path):
    begun(tmp_path / "m", steps=(1, 2, 3, 4))
    assert resumed_step(tmp_path / "m") == 4


def test_two_checkpoints_are_on_the_disk_and_never_three(tmp_path, monkeypatch):
    most = 0

    def measured(path, tensors):
        nonlocal most
        write_tensors(path, tensors)
        most = max(most, sum(p.stat().st_size for p in files(tmp_path)))

    monkeypatch.setattr("lmbook.training.run_files.write_tensors", measured)
    begun(tmp_path / "m", steps=range(1, 7))
    states = [n for n in names(tmp_path / "m") if n.endswith(".safetensors")]
    assert states == ["run/state-5.safetensors", "run/state-6.safetensors"]
    size = (tmp_path / "m" / states[0]).stat().st_size
    assert 2 * size < most < 2.7 * size  # the rest is tokenizer and JSON


def test_a_finished_run_leaves_four_files_and_the_weights_in_use(tmp_path):
    finished(tmp_path / "m")
    expected = ["config.json", "metrics.jsonl", "model.safetensors", "tokenizer.json"]
    assert names(tmp_path / "m") == expected
    model, tokenizer = checkpoint.load(tmp_path / "m")
    assert tokenizer.tokens == TOKENIZER.tokens
    assert not model.training
    tensors, _ = run(2)
    for name, weight in model.named_parameters():
        assert torch.equal(weight, tensors[f"best.{name}"])
    assert checkpoint.read_records(tmp_path / "m") == [{"step": 2}]
    assert resumed_step(tmp_path / "m") == "finished"


def test_the_model_of_an_unfinished_run_is_that_of_its_last_checkpoint(tmp_path):
    before = names(begun(tmp_path / "m"))
    model, _ = checkpoint.load(tmp_path / "m")
    assert torch.equal(model.output.bias, run(2)[0]["best.output.bias"])
    assert names(tmp_path / "m") == before


def test_tied_weights_are_saved_once_and_loaded_tied(tmp_path):
    sizes = dataclasses.replace(CONFIG, embedding_size=7, tied=True)
    model = LSTMLanguageModel(sizes)
    checkpoint.save_model(tmp_path, model, TOKENIZER, [{"step": 5}], note="tied")
    assert "output.weight" not in load_file(tmp_path / "model.safetensors")
    loaded, _ = checkpoint.load(tmp_path)
    assert loaded.output.weight is loaded.embedding.weight
    assert torch.equal(loaded.embedding.weight, model.embedding.weight)
    assert json.loads((tmp_path / "config.json").read_text())["note"] == "tied"


# Kills


def killed_at(event, work):
    """Run ``work`` in a process that SIGKILL ends before its n-th touch of a file.

    Returns False if it ended by itself.
    """
    touches = {"open", "os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.chmod"}
    child = os.fork()
    if child:
        _, status = os.waitpid(child, 0)
        assert os.WIFSIGNALED(status) or os.waitstatus_to_exitcode(status) == 0
        return os.WIFSIGNALED(status)
    left = event

    def count(name, arguments):
        nonlocal left
        if name in touches:
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    code = 1
    try:
        warnings.simplefilter("ignore")
        sys.addaudithook(count)
        work()
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)


@pytest.mark.filterwarnings("ignore")
def test_a_kill_between_any_two_touches_of_a_file_loses_no_checkpoint(tmp_path):
    """Each time another process is killed one touch later, from begin to end."""
    reached, event = [], 0
    while True:
        event += 1
        path = tmp_path / str(event)
        done = tmp_path / f"{event} done"

        def work(path=path, done=done):
            with opened(path) as folder:
                for step in (1, 2, 3):
                    folder.save(*run(step))
                    os.close(os.open(done, os.O_CREAT | os.O_APPEND))
                    with open(done, "a") as file:
                        file.write(".")
                    folder.log([{"step": step}])
                folder.finish(*run(4))

        if not killed_at(event, work):
            break
        saved = len(done.read_text()) if done.exists() else 0
        if not path.exists():
            reached.append(0)
            continue
        if saved:
            model, _ = checkpoint.load(path)  # and changes nothing
        step = resumed_step(path)
        assert step == "finished" or saved <= step <= saved + 1, (event, step)
        reached.append(step)
        if step != "finished":
            with opened(path, resume=True) as folder:
                folder.save(*run(7))
                folder.finish(*run(8))
        assert names(path) == [
            *("config.json", "metrics.jsonl", "model.safetensors", "tokenizer.json")
        ]
        model, _ = checkpoint.load(path)
        last = run(4 if step == "finished" else 8)[0]
        assert torch.equal(model.output.bias, last["best.output.bias"])
        shutil.rmtree(path)
    assert set(reached) == {0, 1, 2, 3, "finished"}
    assert len(reached) > 60


def test_what_killed_writes_left_is_removed(tmp_path):
    begun(tmp_path / "m")
    before = names(tmp_path / "m")
    for name in (
        *(".metrics.jsonl.abc123", ".tmpAbC123", "run/.state-3.safetensors.x1"),
        *("run/.tmpx_y123", "run/state-3.safetensors"),
    ):
        (tmp_path / "m" / name).write_text("half")
    (tmp_path / "m" / "notes.txt").write_text("mine")
    with opened(tmp_path / "m", resume=True) as folder:
        folder.save(*run(3))
    kept = {"notes.txt", "run/state-3.safetensors", "run/checkpoint-3.json"}
    gone = {"run/state-1.safetensors", "run/checkpoint-1.json"}
    assert set(names(tmp_path / "m")) == set(before) - gone | kept


# Damage


def flips(path, count):
    """Bytes of a file to change: its first, its last, and some drawn from all."""
    size = path.stat().st_size
    drawn = np.random.default_rng(5).integers(size, size=count)
    return sorted({0, 8, size - 2, size - 1, *drawn.tolist()})


def flip(path, position, bit):
    content = bytearray(path.read_bytes())
    content[position] ^= 1 << bit
    path.write_bytes(content)


@pytest.mark.parametrize(
    "name", ["config.json", "metrics.jsonl", "model.safetensors", "tokenizer.json"]
)
def test_any_changed_byte_of_a_finished_model_is_named(tmp_path, name):
    path = finished(tmp_path / "m") / name
    good = path.read_bytes()
    for number, position in enumerate(flips(path, 60)):
        flip(path, position, number % 8)
        with pytest.raises(InputError, match=f"{name} is damaged"):
            checkpoint.load(tmp_path / "m")
        with pytest.raises(InputError, match=f"{name} is damaged"):
            opened(tmp_path / "m", resume=True).__enter__()
        path.write_bytes(good)
    assert checkpoint.load(tmp_path / "m")


@pytest.mark.parametrize("name", ["run/settings.json", "tokenizer.json"])
def test_any_changed_byte_of_what_a_run_began_with_is_named(tmp_path, name):
    path = begun(tmp_path / "m") / name
    good = path.read_bytes()
    for number, position in enumerate(flips(path, 40)):
        flip(path, position, number % 8)
        for read in (checkpoint.load, resumed_step):
            with pytest.raises(InputError, match=f"{name} is damaged"):
                read(tmp_path / "m")
        path.write_bytes(good)
    assert resumed_step(tmp_path / "m") == 2


@pytest.mark.parametrize("name", ["run/state-2.safetensors", "run/checkpoint-2.json"])
def test_of_a_damaged_checkpoint_the_one_before_is_taken(tmp_path, name):
    path = begun(tmp_path / "m") / name
    good = path.read_bytes()
    for number, position in enumerate(flips(path, 40)):
        flip(path, position, number % 8)
        with pytest.warns(UserWarning, match=f"{name} is damaged.* the one before it"):
            assert resumed_step(tmp_path / "m") == 1
        path.write_bytes(good)
    for length in (0, 1, 9, len(good) // 2, len(good) - 1):
        path.write_bytes(good[:length])
        with pytest.warns(UserWarning, match=f"{name} is damaged.* the one before it"):
            assert resumed_step(tmp_path / "m") == 1
        path.write_bytes(good)
    assert resumed_step(tmp_path / "m") == 2

    path.write_bytes(good[:-1])
    with (
        pytest.warns(UserWarning, match="one before"),
        opened(tmp_path / "m", resume=True) as folder,
    ):
        folder.save(*run(3))  # must not take the place of the good one alone
    states = [n for n in names(tmp_path / "m") if n.endswith(".safetensors")]
    assert states == ["run/state-1.safetensors", "run/state-2.safetensors"]
    assert resumed_step(tmp_path / "m") == 3


def test_if_both_checkpoints_are_damaged_it_says_so(tmp_path):
    begun(tmp_path / "m")
    for number in (1, 2):
        flip(tmp_path / "m" / f"run/state-{number}.safetensors", 99, 3)
    with (
        pytest.warns(UserWarning, match="state-2.safetensors is damaged"),
        pytest.raises(InputError, match=r"state-1.safetensors is damaged"),
    ):
        resumed_step(tmp_path / "m")
    assert len([n for n in names(tmp_path / "m") if n.endswith("tensors")]) == 2


@pytest.mark.parametrize(
    "name", ["config.json", "metrics.jsonl", "model.safetensors", "tokenizer.json"]
)
def test_a_missing_file_is_named(tmp_path, name):
    (finished(tmp_path / "m") / name).unlink()
    with pytest.raises(InputError, match=f"{name} is missing"):
        checkpoint.load(tmp_path / "m")


def resealed(folder, name, content):
    """Change a file of a finished model and the sums with it, as an attacker would."""
    (folder / name).write_bytes(content)
    config = json.loads((folder / "config.json").read_text())
    config.pop("sha256")
    config["files"][name] = sha256(folder / name)
    write_sealed(folder / "config.json", config)


def as_file(tmp_path, tensors):
    save_file(tensors, tmp_path / "made")
    return (tmp_path / "made").read_bytes()


class Bomb:
    def __reduce__(self):
        return (os.mkdir, ("exploded",))


def test_weights_that_someone_else_made_are_refused_and_run_nothing(
    tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    folder = finished(tmp_path / "m")
    weights = load_file(folder / "model.safetensors")
    huge = (2**62).to_bytes(8, "little") + b"{}"
    for content, message in (
        (pickle.dumps(Bomb()), "model.safetensors is damaged"),
        (huge, "model.safetensors is damaged"),
        (b"", "model.safetensors is damaged"),
        (
            as_file(tmp_path, weights | {"output.bias": torch.full((11,), torch.nan)}),
            "model.safetensors is damaged: output.bias holds numbers that are not",
        ),
        (
            as_file(tmp_path, weights | {"output.bias": torch.zeros(12)}),
            r"output.bias should have shape \(11,\), has \(12,\)",
        ),
        (
            as_file(tmp_path, weights | {"more": torch.zeros(2)}),
            r"more should have shape None, has \(2,\)",
        ),
        (
            as_file(tmp_path, {k: v for k, v in weights.items() if k[:3] != "emb"}),
            r"embedding.weight should have shape \(11, 6\), has None",
        ),
    ):
        resealed(folder, "model.safetensors", content)
        with pytest.raises(InputError, match=message):
            checkpoint.load(folder)
    assert not (tmp_path / "exploded").exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"model": {"hidden_size": 10**9}}, "is damaged"),
        ({"model": {"hidden_size": 99}}, "should have shape"),
        ({"model": {"hidden": 7}}, "is damaged"),
        ({"model": [1]}, "is damaged"),
        ({}, "holds no language model, but another kind"),
        ({"model": {}, "files": {"../../passwd": "0"}}, "leads out of its folder"),
        ({"model": {}, "files": [1]}, "is damaged"),
    ],
)
def test_a_configuration_that_someone_else_made_is_refused(tmp_path, content, message):
    folder = finished(tmp_path / "m")
    config = json.loads((folder / "config.json").read_text())
    write_sealed(folder / "config.json", {"files": config["files"], **content})
    with pytest.raises(InputError, match=message):
        checkpoint.load(folder)


def test_json_too_deep_to_read_is_damage(tmp_path):
    folder = finished(tmp_path / "m")
    (folder / "config.json").write_text("[" * 10**6)
    with pytest.raises(InputError, match="config.json is damaged"):
        checkpoint.load(folder)


def test_links_out_of_the_folder_are_refused(tmp_path):
    outside = tmp_path / "outside"
    shutil.copytree(begun(tmp_path / "m"), outside)
    precious = names(outside)
    shutil.rmtree(tmp_path / "m" / "run")
    (tmp_path / "m" / "run").symlink_to(outside / "run")
    with pytest.raises(InputError, match="leads out of its folder"):
        resumed_step(tmp_path / "m")
    assert names(outside) == precious
    folder = finished(tmp_path / "f")
    shutil.move(folder / "model.safetensors", tmp_path / "elsewhere")
    (folder / "model.safetensors").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(InputError, match="leads out of its folder"):
        checkpoint.load(folder)


def test_nothing_in_lmbook_unpickles():
    root = Path(checkpoint.__file__).parents[1]
    for path in root.rglob("*.py"):
        text = path.read_text("utf-8")
        assert "torch.load" not in text, path
        assert "import pickle" not in text, path
        assert "allow_pickle=True" not in text, path


# A full disk, and numbers that are no numbers


def test_a_nan_is_not_saved_and_the_last_good_checkpoint_stays(tmp_path):
    tensors, facts = run(3)
    tensors["model.output.bias"][4] = float("nan")
    with opened(tmp_path / "m") as folder:
        for step in (1, 2):
            folder.save(*run(step))
        with pytest.raises(NotFinite, match=r"state-3.*: model.output.bias holds"):
            folder.save(tensors, facts)
    assert resumed_step(tmp_path / "m") == 2


def test_a_full_disk_is_named_and_the_last_good_checkpoint_stays(tmp_path, monkeypatch):
    def full(tensors, path, metadata):
        Path(path).write_bytes(b"half")
        raise tensor_files.SafetensorError(
            "Error while serializing: I/O error: No space left on device (os error 28)"
        )

    with opened(tmp_path / "m") as folder:
        for step in (1, 2):
            folder.save(*run(step))
        monkeypatch.setattr(tensor_files, "save_file", full)
        for write in (folder.save, folder.finish):
            with pytest.raises(OSError, match="No space left on device") as caught:
                write(*run(3))
            assert caught.value.errno == errno.ENOSPC
            assert str(tmp_path / "m") in caught.value.filename
        monkeypatch.undo()
        assert resumed_step_of(folder) == 2
        folder.save(*run(3))  # there is room again
    assert resumed_step(tmp_path / "m") == 3


def resumed_step_of(folder):
    """What another process would find, were this one killed now."""
    copy = folder.path.with_name("copy")
    shutil.copytree(folder.path, copy)
    return resumed_step(copy)


def test_the_system_refusing_more_bytes_is_named(tmp_path):
    """A limit on the size of files, as the system itself enforces it."""
    folder = begun(tmp_path / "m")

    def work():
        resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))
        with opened(folder, resume=True) as again:
            with pytest.raises(OSError, match="File too large.*state-3") as caught:
                again.save(*run(3))
            assert caught.value.errno == errno.EFBIG

    assert not killed_at(-1, work)
    assert resumed_step(folder) == 2


FULL_DISK = """
import sys
sys.path.insert(0, sys.argv[1])
from tests.training.test_checkpoint import *
path = Path(sys.argv[2]) / "m"
with opened(path) as folder:
    folder.save(*run(1))
    try:
        folder.save(*run(2))
    except OSError as error:
        print(error.filename, error.strerror)
print("goes on from", resumed_step(path))
"""


def test_a_disk_that_is_really_full(tmp_path):
    """A file system of a few pages, mounted in a name space of its own."""
    unshare = ["unshare", "--user", "--map-root-user", "--mount"]
    mount = f"mount -t tmpfs -o size=32k tmpfs {tmp_path}"
    if (
        shutil.which("unshare") is None
        or subprocess.run(
            [*unshare, "sh", "-c", mount], capture_output=True, check=False
        ).returncode
    ):
        pytest.skip("this system lets nobody mount a file system")
    root = Path(__file__).parents[2]
    program = [sys.executable, "-c", FULL_DISK, str(root), str(tmp_path)]
    shell = f'{mount} && exec "$@"'
    result = subprocess.run(
        [*unshare, "sh", "-c", shell, "sh", *program],
        capture_output=True,
        text=True,
        cwd=root,
        check=False,
    )
    state = tmp_path / "m" / "run" / "state-2.safetensors"
    expected = f"{state} No space left on device\ngoes on from 1\n"
    assert result.stdout == expected, result.stderr


# Whose folder it is


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (
            {"model": {**SETTINGS["model"], "hidden_size": 9}},
            "hidden_size is 9, the run in .*m began with 8",
        ),
        (
            {"train": {**SETTINGS["train"], "seed": 1}},
            "seed is 1, the run in .*m began with 0",
        ),
        (
            {"data": {**SETTINGS["data"], "training part": "9 tokens"}},
            "the text is not the one that .* its training part was 200 tokens, .*is 9",
        ),
        (
            {"data": {**SETTINGS["data"], "tokenizer": "x"}},
            "the text is not the one that .* its tokenizer was",
        ),
    ],
)
def test_a_run_of_another_configuration_is_named(tmp_path, changed, message):
    for folder in (begun(tmp_path / "m"), finished(tmp_path / "fm")):
        with pytest.raises(InputError, match=message):
            opened(folder, resume=True, **changed).__enter__()
    assert resumed_step(tmp_path / "m") == 2


def test_a_run_may_move_to_another_device(tmp_path):
    begun(tmp_path / "m")
    train = {**SETTINGS["train"], "device": "cpu", "save_minutes": 1.0}
    with opened(tmp_path / "m", resume=True, train=train) as folder:
        assert folder.state is not None


def test_another_torch_is_said(tmp_path, monkeypatch):
    begun(tmp_path / "m")
    monkeypatch.setattr(torch, "__version__", "2.99.0")
    with pytest.warns(UserWarning, match="began with torch 2.* goes on with 2.99"):
        resumed_step(tmp_path / "m")


@pytest.mark.parametrize(
    ("make", "resume", "message"),
    [
        (finished, False, "holds a finished model; choose another"),
        (begun, False, r"holds a run that is not finished; go on with it \(--resume\)"),
        (lambda p: (p.mkdir(), (p / "x").touch()), False, "is not empty; choose"),
        (lambda p: (p.mkdir(), (p / "x").touch()), True, "not empty and holds no run"),
        (lambda p: p.touch(), False, "cannot write to folder .*: Not a directory"),
        (lambda p: p.touch(), True, "cannot write to folder"),
    ],
)
def test_a_folder_that_is_taken_is_left_alone(tmp_path, make, resume, message):
    make(tmp_path / "m")
    before = {p: p.is_file() and p.read_bytes() for p in tmp_path.rglob("*")}
    with pytest.raises(InputError, match=message):
        opened(tmp_path / "m", resume).__enter__()
    after = {p: p.is_file() and p.read_bytes() for p in tmp_path.rglob("*")}
    assert after == before


def test_resume_where_nothing_was_begun_begins(tmp_path):
    for make in (lambda p: None, Path.mkdir, lambda p: (p / "run").mkdir(parents=True)):
        path = tmp_path / str(len(list(tmp_path.iterdir())))
        make(path)
        with pytest.warns(UserWarning, match="holds no run yet: it begins now"):
            assert resumed_step(path) == 0
        with pytest.warns(UserWarning, match="had saved nothing yet: it begins again"):
            assert resumed_step(path) == 0


def test_a_second_process_is_kept_out(tmp_path):
    with opened(tmp_path / "m") as folder:
        folder.save(*run(1))

        def work():
            with pytest.raises(InputError, match=f"in use by process {os.getppid()}"):
                opened(tmp_path / "m", resume=True).__enter__()

        assert not killed_at(-1, work)
        folder.save(*run(2))
    assert resumed_step(tmp_path / "m") == 2


def test_a_killed_process_holds_no_lock(tmp_path):
    def work():
        with opened(tmp_path / "m") as folder:
            folder.save(*run(1))
            os.kill(os.getpid(), signal.SIGKILL)

    assert killed_at(-1, work)
    assert resumed_step(tmp_path / "m") == 1
