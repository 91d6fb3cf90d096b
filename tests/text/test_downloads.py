"""Downloads from a local server: what arrives whole is kept, all else leaves no trace.

Nothing here leaves the machine.
"""

import gzip
import hashlib
import http.server
import io
import re
import signal
import socket
import subprocess
import sys
import tarfile
import threading
import time
import zipfile

import numpy as np
import pytest

from lmbook.errors import InputError
from lmbook.text import archives, downloads
from lmbook.text.datasets import DATASETS, Dataset, File, Part
from lmbook.text.downloads import DownloadError, fetch, read_parts

CONTENT = b"The quick brown fox\n" * 5000


def digest(data):
    return hashlib.sha256(data).hexdigest()


@pytest.fixture
def cache(tmp_path, monkeypatch):
    folder = tmp_path / "cache"
    folder.mkdir()
    monkeypatch.setenv("LMBOOK_DATA", str(folder))
    monkeypatch.delenv("LMBOOK_MIRROR", raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(downloads, "WAITS", (0.01, 0.02))
    return folder


class Server:
    """Answers each address with what was set for it, the last answer again and again.

    An answer is bytes, a status code, or a function that writes to the handler.
    """

    def __init__(self):
        self.answers, self.asked = {}, []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                outer.asked.append(self.path)
                answers = outer.answers.get(self.path, [404])
                answer = answers.pop(0) if len(answers) > 1 else answers[0]
                if isinstance(answer, int):
                    self.send_error(answer)
                elif callable(answer):
                    answer(self)
                else:
                    whole(answer)(self)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(
            target=self.server.serve_forever, args=(0.01,), daemon=True
        ).start()

    def __call__(self, path, *answers):
        self.answers[path] = list(answers)
        return self.url + path


def whole(data, declared=None, chunked=False):
    def answer(handler):
        handler.send_response(200)
        if not chunked:
            length = len(data) if declared is None else declared
            handler.send_header("Content-Length", str(length))
        handler.end_headers()
        handler.wfile.write(data)
        handler.close_connection = True

    return answer


@pytest.fixture
def server():
    started = Server()
    yield started
    started.server.shutdown()
    started.server.server_close()


def single(*urls, data=CONTENT, name="fox.txt", sha256=None, size=None, member=""):
    """A data set of one file that should hold these bytes."""
    file = File(
        name,
        len(data) if size is None else size,
        digest(data) if sha256 is None else sha256,
        urls,
        "",
    )
    return Dataset("", "", {"text": Part(file, member)})


def get(dataset):
    return fetch(dataset.files[0], dataset)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_file_is_fetched_once(cache, server, capfd, monkeypatch):
    monkeypatch.delitem(sys.modules, "ipykernel", raising=False)  # not in a notebook
    dataset = single(server("/fox.txt", CONTENT))
    assert get(dataset).read_bytes() == CONTENT
    assert read_parts(dataset) == {"text": CONTENT}
    assert server.asked == ["/fox.txt"]
    assert names(cache) == ["fox.txt"]
    assert capfd.readouterr().err == ""  # no progress bar where nobody looks


def test_a_terminal_sees_a_bar(cache, server, monkeypatch):
    def in_two_halves(handler):
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(CONTENT)))
        handler.end_headers()
        handler.wfile.write(CONTENT[:50_000])
        time.sleep(0.3)
        handler.wfile.write(CONTENT[50_000:])

    terminal = io.StringIO()
    monkeypatch.setattr(terminal, "isatty", lambda: True)
    monkeypatch.setattr(sys, "stderr", terminal)
    get(single(server("/f", in_two_halves)))
    assert re.search(r"fox.txt: +[4-9]\d%\|.*/100k", terminal.getvalue())


def test_a_compressed_answer_is_unpacked(cache, server):
    def answer(handler):
        packed = gzip.compress(CONTENT)
        handler.send_response(200)
        handler.send_header("Content-Encoding", "gzip")
        handler.send_header("Content-Length", str(len(packed)))
        handler.end_headers()
        handler.wfile.write(packed)

    assert get(single(server("/f", answer))).read_bytes() == CONTENT


def test_connection_errors_and_5xx_are_tried_again(cache, server):
    broken = whole(CONTENT[:777], declared=len(CONTENT))
    assert get(single(server("/a", 503, broken, CONTENT))).read_bytes() == CONTENT
    assert server.asked == ["/a"] * 3


def test_what_will_not_pass_is_not(cache, server):
    for code in (404, 403, 410):
        with pytest.raises(DownloadError, match=f"HTTP {code} "):
            get(single(server(f"/{code}", code)))
    assert server.asked == ["/404", "/403", "/410"]
    with pytest.raises(DownloadError, match="HTTP 500 "):
        get(single(server("/500", 500)))
    assert server.asked[3:] == ["/500"] * 3
    assert names(cache) == []


def test_the_next_address_is_used(cache, server):
    urls = server("/a", 404), server("/b", b"a login page"), server("/c", CONTENT)
    assert get(single(*urls)).read_bytes() == CONTENT
    assert server.asked == ["/a", "/b", "/c"]


def forever(handler):
    handler.send_response(200)
    handler.end_headers()
    try:
        while True:
            handler.wfile.write(b"x" * 65536)
    except OSError:
        pass


def silent(handler):
    handler.send_response(200)
    handler.send_header("Content-Length", "99")
    handler.end_headers()
    handler.wfile.flush()
    time.sleep(2)


FAILURES = {
    "another file": (
        b"<html>Please log in</html>",
        "26 bytes with SHA-256 [0-9a-f]{64}",
    ),
    "same size": (CONTENT[::-1], "100,000 bytes with SHA-256"),
    "empty": (b"", "0 bytes with SHA-256"),
    "truncated": (whole(CONTENT[:777], declared=len(CONTENT)), "connection broke off"),
    "cut, no length": (whole(CONTENT[:777], chunked=True), "777 bytes with SHA-256"),
    "endless": (forever, "sends more than the 100,000 bytes expected"),
    "silence": (silent, "no answer within 0.3 s"),
    "refused": (lambda handler: handler.connection.close(), "."),
    "redirected in a circle": (
        lambda h: (
            h.send_response(302),
            h.send_header("Location", "/f"),
            h.end_headers(),
        ),
        "30 redirects",
    ),
}


@pytest.mark.parametrize("old", [None, b"what stood there before"])
@pytest.mark.parametrize("name", FAILURES)
def test_a_failure_leaves_the_cache_as_it_was(cache, server, monkeypatch, name, old):
    monkeypatch.setattr(downloads, "TIMEOUT", 0.3)
    answer, message = FAILURES[name]
    if old is not None:
        (cache / "fox.txt").write_bytes(old)
    with pytest.raises(DownloadError, match=message) as error:
        get(single(server("/f", answer)))
    told = str(error.value)
    assert "\n" not in told
    assert server.url in told
    for advice in ("LMBOOK_MIRROR", str(cache), "fox.txt", digest(CONTENT)):
        assert advice in told
    assert names(cache) == ([] if old is None else ["fox.txt"])
    assert old is None or (cache / "fox.txt").read_bytes() == old


def test_nobody_listens(cache):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(DownloadError, match="Connection refused"):
        get(single(f"http://127.0.0.1:{port}/fox.txt"))
    with pytest.raises(DownloadError, match="Invalid URL"):
        get(single("http://"))


def test_a_damaged_file_is_replaced(cache, server):
    (cache / "fox.txt").write_bytes(CONTENT[:-1])
    dataset = single(server("/f", CONTENT))
    assert get(dataset).read_bytes() == CONTENT


def test_a_file_put_there_by_hand_is_taken(cache):
    (cache / "fox.txt").write_bytes(CONTENT)
    assert get(single()) == cache / "fox.txt"


@pytest.mark.parametrize("kind", ["folder", "file", "http", "http/"])
def test_a_mirror_is_asked_and_nobody_else(cache, server, monkeypatch, tmp_path, kind):
    folder = tmp_path / "U盘 1"
    folder.mkdir()
    (folder / "fox.txt").write_bytes(CONTENT)
    server("/deep/fox.txt", CONTENT)
    mirrors = {"folder": str(folder), "file": folder.as_uri()}
    monkeypatch.setenv(
        "LMBOOK_MIRROR", mirrors.get(kind, server.url + "/deep" + kind[4:])
    )
    own = server("/own", CONTENT)
    assert get(single(own)).read_bytes() == CONTENT
    with pytest.raises(DownloadError, match="No such file|HTTP 404"):
        get(single(own, name="other.txt"))
    assert "/own" not in server.asked
    assert names(cache) == ["fox.txt"]


@pytest.mark.parametrize(
    ("mirror", "message"),
    [
        ("ftp://host/x", "must be a folder or begin with http://.*got 'ftp://host/x'"),
        ("/no/such/folder", "/no/such/folder/fox.txt: cannot copy it: No such file"),
        ("https://", "must be a folder or begin with"),
    ],
)
def test_a_wrong_mirror_is_named(cache, monkeypatch, mirror, message):
    monkeypatch.setenv("LMBOOK_MIRROR", mirror)
    with pytest.raises(DownloadError, match=message):
        get(single())


def test_a_mirror_with_another_file(cache, monkeypatch, tmp_path):
    (tmp_path / "fox.txt").write_bytes(b"x")
    monkeypatch.setenv("LMBOOK_MIRROR", str(tmp_path))
    with pytest.raises(DownloadError, match="1 bytes with SHA-256"):
        get(single())
    assert names(cache) == []


def test_a_folder_that_cannot_be_written_is_named(cache, server, monkeypatch, tmp_path):
    (tmp_path / "a file").write_text("")
    monkeypatch.setenv("LMBOOK_DATA", str(tmp_path / "a file" / "cache"))
    with pytest.raises(DownloadError, match="cannot use the cache.*set LMBOOK_DATA"):
        get(single(server("/f", CONTENT)))


def test_a_full_disk_is_named(cache, server, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(downloads._Bounded, "write", full)
    with pytest.raises(DownloadError, match="No space left on device; set LMBOOK_DATA"):
        get(single(server("/f", CONTENT)))
    assert names(cache) == []


def test_many_at_once_do_no_harm(cache, server):
    def slowly(handler):
        time.sleep(0.1)
        whole(CONTENT)(handler)

    dataset = single(server("/f", slowly))
    failures = []

    def run():
        try:
            assert get(dataset).read_bytes() == CONTENT
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=run) for _ in range(7)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert names(cache) == ["fox.txt"]


def test_ctrl_c_leaves_nothing(cache, server):
    started = threading.Event()

    def hang(handler):
        handler.send_response(200)
        handler.send_header("Content-Length", "1115394")
        handler.end_headers()
        handler.wfile.write(b"half" * 5000)
        handler.wfile.flush()
        started.set()
        time.sleep(20)

    server("/tinyshakespeare.txt", hang)
    process = subprocess.Popen(
        [sys.executable, "-m", "lmbook", "data", "tiny-shakespeare"],
        env={**downloads.os.environ, "LMBOOK_MIRROR": server.url},
        stderr=subprocess.PIPE,
        text=True,
    )
    assert started.wait(30)
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=30)
    assert process.returncode == 130
    assert told.strip() == "lmbook: interrupted"
    assert names(cache) == []


def zipped(members, method=zipfile.ZIP_DEFLATED):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def tarred(members, kind=tarfile.REGTYPE):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.type, info.size, info.linkname = kind, len(data), "/etc/passwd"
            archive.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def with_link():
    info = zipfile.ZipInfo("b.txt")
    info.external_attr = 0o120777 << 16
    return zipped({info: "/etc/passwd", "a.txt": b"good"})


GOOD = {"folder/": b"", "a.txt": b"good", "中文.txt": b"more"}
REFUSED = {
    "parent": ({"a.txt": b"good", "../evil.txt": b"x"}, "'../evil.txt' points outside"),
    "deep parent": ({"a.txt": b"", "a/../../b": b"x"}, "points outside"),
    "absolute": ({"a.txt": b"", "/etc/passwd": b"x"}, "'/etc/passwd' points outside"),
    "backslash": ({"a.txt": b"", "..\\b": b"x"}, "points outside"),
    "drive": ({"a.txt": b"", "C:\\b": b"x"}, "points outside"),
    "missing": ({"b.txt": b"x"}, "lacks the file 'a.txt'"),
    "bomb": ({"a.txt": b"", "b": b"0" * 3_000_000}, "unpacks to more than 2,000,000"),
}


def packed(name, data, member="a.txt", **changed):
    return single(data=data, name=name, member=member, **changed)


@pytest.mark.parametrize(("name", "pack"), [("x.zip", zipped), ("x.tar.gz", tarred)])
@pytest.mark.parametrize("case", REFUSED)
def test_a_bad_archive_is_refused(cache, monkeypatch, tmp_path, name, pack, case):
    members, message = REFUSED[case]
    monkeypatch.setattr(archives, "LIMIT", 2_000_000)
    refuse(tmp_path, monkeypatch, cache, name, pack(members), message)


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("x.zip", with_link(), "'b.txt' is a link or a device"),
        ("x.tgz", tarred({"a.txt": b""}, tarfile.SYMTYPE), "'a.txt' is a link"),
        ("x.tgz", tarred({"a.txt": b""}, tarfile.LNKTYPE), "'a.txt' is a link"),
        (
            "x.tgz",
            tarred({"a.txt": b""}, tarfile.CHRTYPE),
            "'a.txt' is a link or a dev",
        ),
        (
            "x.tgz",
            tarred({"a.txt": b""}, tarfile.FIFOTYPE),
            "'a.txt' is a link or a dev",
        ),
        ("x.zip", b"", "no readable archive"),
        ("x.zip", b"<html>", "no readable archive"),
        ("x.tgz", b"<html>", "no readable archive"),
        ("x.zip", zipped(GOOD)[:-9], "no readable archive"),
        (
            "x.tgz",
            tarred({"a.txt": bytes(range(256)) * 999})[:300],
            "no readable archive",
        ),
        ("x.zip", zipped(GOOD, 0).replace(b"good", b"evil"), "no readable archive"),
        ("x.tgz", tarred({"a.txt": b""}, tarfile.DIRTYPE), "lacks the file 'a.txt'"),
    ],
)
def test_a_damaged_archive_is_refused(
    cache, monkeypatch, tmp_path, name, data, message
):
    refuse(tmp_path, monkeypatch, cache, name, data, message)


def refuse(tmp_path, monkeypatch, cache, name, data, message):
    """Neither with the right checksum nor with none does it reach the cache."""
    mirror = tmp_path / "mirror"
    mirror.mkdir()
    (mirror / name).write_bytes(data)
    monkeypatch.setenv("LMBOOK_MIRROR", str(mirror))
    for known in (digest(data), ""):
        with pytest.raises(DownloadError, match=message) as error:
            get(packed(name, data, sha256=known))
        assert "LMBOOK_MIRROR" in str(error.value)
        assert names(cache) == []
    assert names(tmp_path) == ["cache", "mirror"]


@pytest.mark.parametrize(("name", "pack"), [("x.zip", zipped), ("x.tgz", tarred)])
def test_whatever_is_wrong_with_an_archive_is_an_input_error(tmp_path, name, pack):
    sound, random = (
        pack({"a.txt": b"good" * 99, "中.txt": b""}),
        np.random.default_rng(5),
    )
    outcomes = []
    for _ in range(600):
        data = np.frombuffer(sound, np.uint8).copy()
        spots = random.integers(len(data), size=random.integers(1, 4))
        data[spots] = random.integers(256, size=len(spots))
        (tmp_path / name).write_bytes(data[: random.integers(len(data), 2 * len(data))])
        try:
            read = archives.read_members(tmp_path / name, ["a.txt"])
            outcomes.append(read == {"a.txt": b"good" * 99})
        except InputError:
            outcomes.append(False)
    assert {True, False} == set(outcomes)


@pytest.mark.parametrize(("name", "pack"), [("x.zip", zipped), ("x.tgz", tarred)])
def test_members_are_read_from_the_archive(cache, name, pack):
    data = pack(GOOD)
    (cache / name).write_bytes(data)
    file = packed(name, data).files[0]
    parts = {"one": Part(file, "a.txt"), "two": Part(file, "中文.txt")}
    dataset = Dataset("", "", parts)
    assert read_parts(dataset) == {"one": b"good", "two": b"more"}
    assert read_parts(dataset, ["two"]) == {"two": b"more"}
    assert names(cache) == [name]  # nothing is unpacked


def test_a_file_that_changes_is_pinned_by_its_first_version(cache, server):
    first, second = zipped({"a.txt": b"1"}), zipped({"a.txt": b"2"})
    url = server("/x.zip", first, second)
    dataset = single(url, data=first, name="x.zip", sha256="", size=999, member="a.txt")
    with pytest.warns(UserWarning, match=f"x.zip changes with time.*{digest(first)}"):
        assert read_parts(dataset) == {"text": b"1"}
    assert (cache / "x.zip.sha256").read_text() == f"{digest(first)}  x.zip\n"
    assert read_parts(dataset) == {"text": b"1"}  # no warning: pytest would show it
    assert len(server.asked) == 1

    (cache / "x.zip").unlink()
    with pytest.raises(DownloadError, match="or delete x.zip.sha256 to take another"):
        read_parts(dataset)
    assert names(cache) == ["x.zip.sha256"]
    (cache / "x.zip.sha256").unlink()
    with pytest.warns(UserWarning, match=digest(second)):
        assert read_parts(dataset) == {"text": b"2"}


def test_a_file_that_changes_may_be_put_there_by_hand(cache):
    (cache / "x.zip").write_bytes(zipped({"b.txt": b"1"}))
    dataset = single(name="x.zip", sha256="", member="a.txt")
    with pytest.raises(InputError, match="lacks the file"):
        read_parts(dataset)
    (cache / "x.zip").write_bytes(zipped({"a.txt": b"1"}))
    with pytest.warns(UserWarning, match="changes with time"):
        assert read_parts(dataset) == {"text": b"1"}
    (cache / "x.zip").write_bytes(zipped({"a.txt": b"2"}))
    with pytest.raises(DownloadError, match="x.zip is not the expected file"):
        read_parts(dataset)


def test_the_cache_folder_is_the_users_own(monkeypatch):
    monkeypatch.delenv("LMBOOK_DATA", raising=False)
    assert downloads.cache_folder().name == "lmbook"
    monkeypatch.setenv("LMBOOK_DATA", "~/here")
    assert downloads.cache_folder() == downloads.Path.home() / "here"


def test_the_table_is_sound():
    files = [file for dataset in DATASETS.values() for file in dataset.files]
    assert len({file.name for file in files}) == len(files)
    for file in files:
        assert bool(file.sha256) == bool(file.source)
        assert file.sha256 == "" or len(bytes.fromhex(file.sha256)) == 32
        assert file.urls
        assert all(url.startswith(("http://", "https://")) for url in file.urls)
    unpinned = [
        name for name, d in DATASETS.items() if not all(f.sha256 for f in d.files)
    ]
    assert unpinned == ["tatoeba-zh-en"]
