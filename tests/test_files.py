import errno
import hashlib
import json
import os
import stat
import subprocess
import sys

import pytest

from lmbook.errors import InputError
from lmbook.files import atomic_write, locked, read_sealed, sha256, write_sealed


def test_written_whole(tmp_path):
    path = tmp_path / "a.txt"
    with atomic_write(path) as temporary:
        temporary.write_text("你好", "utf-8")
        assert not path.exists()
    assert path.read_text("utf-8") == "你好"
    assert sha256(path) == hashlib.sha256("你好".encode()).hexdigest()
    assert os.listdir(tmp_path) == ["a.txt"]


def test_its_mode_is_that_of_any_new_file(tmp_path):
    (tmp_path / "any").touch()
    with atomic_write(tmp_path / "a.txt") as temporary:
        temporary.write_text("x")
    modes = {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    assert len(modes) == 1


def test_an_error_leaves_what_was_there(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")

    def fail_half_way():
        with atomic_write(path) as temporary:
            temporary.write_text("half")
            raise RuntimeError("full disk")

    with pytest.raises(RuntimeError, match="full disk"):
        fail_half_way()
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["a.txt"]


def test_a_full_disk_names_the_file_that_was_to_be_written(tmp_path):
    path = tmp_path / "a.txt"

    def fill():
        with atomic_write(path), open("/dev/full", "w") as file:
            file.write("x" * 9)

    with pytest.raises(OSError, match="No space left on device") as caught:
        fill()
    assert (caught.value.errno, caught.value.filename) == (errno.ENOSPC, str(path))
    assert os.listdir(tmp_path) == []


def test_a_folder_that_is_not_there_is_named(tmp_path):
    path = tmp_path / "gone" / "a.txt"
    with pytest.raises(FileNotFoundError) as caught, atomic_write(path):
        pass
    assert caught.value.filename == str(path)


def test_an_error_of_another_file_keeps_its_name(tmp_path):
    def read_another():
        with atomic_write(tmp_path / "a.txt"):
            (tmp_path / "other.txt").read_text()

    with pytest.raises(FileNotFoundError) as caught:
        read_another()
    assert caught.value.filename == str(tmp_path / "other.txt")


def test_a_sealed_file_is_json_and_any_other_byte_is_noticed(tmp_path):
    path = tmp_path / "a.json"
    content = {"数": [1, 2.5, None, True], "deep": {"er": 0.1 + 0.2}, "odd": "\udc80"}
    write_sealed(path, content)
    good = path.read_bytes()
    assert list(json.loads(good)) == [*content, "sha256"]
    assert read_sealed(path) == content
    for position in range(len(good)):
        for bit in range(8):
            changed = bytearray(good)
            changed[position] ^= 1 << bit
            path.write_bytes(changed)
            with pytest.raises(InputError, match=r"a\.json is damaged"):
                read_sealed(path)
    for length in range(len(good)):
        path.write_bytes(good[:length])
        with pytest.raises(InputError, match=r"a\.json is damaged"):
            read_sealed(path)


def test_no_number_that_json_lacks_is_sealed(tmp_path):
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_sealed(tmp_path / "a.json", {"loss": float("nan")})
    assert os.listdir(tmp_path) == []


TAKE = """
import sys
from lmbook.errors import InputError
from lmbook.files import locked
try:
    with locked(sys.argv[1], "the kitchen", wait=len(sys.argv) > 2):
        print("taken")
except InputError as error:
    print(error)
"""


def test_one_process_at_a_time(tmp_path):
    path = tmp_path / "lock"
    command = [sys.executable, "-c", TAKE, path]
    with locked(path, "it"):
        result = subprocess.run(command, capture_output=True, text=True)
        assert result.stdout == f"the kitchen is in use by process {os.getpid()}\n"
        waiting = subprocess.Popen([*command, "wait"], stdout=subprocess.PIPE)
        with pytest.raises(subprocess.TimeoutExpired):
            waiting.wait(0.5)
    assert waiting.communicate(timeout=60)[0] == b"taken\n"
    assert subprocess.run(command, capture_output=True).stdout == b"taken\n"
