import hashlib
import os

import pytest

from lmbook.files import atomic_write, sha256


def test_written_whole(tmp_path):
    path = tmp_path / "a.txt"
    with atomic_write(path) as temporary:
        temporary.write_text("你好", "utf-8")
        assert not path.exists()
    assert path.read_text("utf-8") == "你好"
    assert sha256(path) == hashlib.sha256("你好".encode()).hexdigest()
    assert os.listdir(tmp_path) == ["a.txt"]


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
