"""Fetching, against a server on this machine: whole and right, or one sentence and nothing left behind."""

from __future__ import annotations

import errno
import http.server
import io
import os
import shutil
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import time
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pooch
import pytest

from llmarm_tutorial.data import catalogue, loading
from llmarm_tutorial.data.catalogue import Entry
from llmarm_tutorial.data.download import fetch
from llmarm_tutorial.errors import FetchError, UnknownName

BASKETS = b"milk,bread\nmilk\ntea,milk,bread\n"


class Server(http.server.ThreadingHTTPServer):
    """Serves `pages`: path → (status, bytes, number of bytes announced), and records what was asked for."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.pages: dict[str, tuple[int, bytes, int]] = {}
        self.asked: list[str] = []
        self.hold_after: int | None = None
        self.released = threading.Event()

    def serve(self, path: str, content: bytes, status: int = 200, announced: int | None = None) -> str:
        self.pages[path] = (status, content, len(content) if announced is None else announced)
        return f"http://127.0.0.1:{self.server_port}{path}"


class Handler(http.server.BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        status, content, announced = self.server.pages.get(self.path, (404, b"gone", 4))
        self.send_response(status)
        self.send_header("Content-Length", str(announced))
        self.end_headers()
        if self.server.hold_after is not None:
            self.wfile.write(content[: self.server.hold_after])
            self.wfile.flush()
            self.server.released.wait(20)
            return
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        yield running
        running.released.set()
        running.shutdown()


def entry(*urls: str, **changes: object) -> Entry:
    """An entry for `BASKETS`, served at the given addresses."""
    made = Entry(
        name="till",
        title="A till",
        source="https://example.org/till",
        urls=urls,
        licence="none",
        citation="none",
        reader="comma_baskets",
        files=("till.csv",),
        aspects=frozenset({"baskets"}),
        fingerprint="57a8581ee1e4b68b",
        columns=("basket_id", "item_id"),
        counts={"rows": 6, "items": 3, "baskets": 3},
    )
    return replace(made, **changes)


def left_in(home: Path) -> list[str]:
    return sorted(str(path.relative_to(home)) for path in home.rglob("*"))


def test_success(server: Server, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    made = entry(server.serve("/till.csv", BASKETS))
    path = fetch(made, tmp_path / "new" / "home")
    assert path == tmp_path / "new" / "home" / "till" / "till.csv"
    assert path.read_bytes() == BASKETS
    assert loading.examine(made, path).ok
    assert left_in(tmp_path / "new" / "home") == ["till", "till/till.csv"]
    assert "100%" in capfd.readouterr().err


def split_entry(*urls: str) -> Entry:
    """A split of two files, as the LightGCN release has them: users 0 and 3, six rows."""
    content = {"rows": 6, "items": 4, "users": 2}
    parts = {"train rows": 3, "test rows": 3}
    return entry(
        *urls,
        reader="published_lines",
        files=("train.txt",),
        parts=("test.txt",),
        counts=content,
        published=parts,
        fingerprint="",
    )


def test_parts_lie_beside_a_plain_file(server: Server, tmp_path: Path) -> None:
    server.serve("/a/train.txt", b"0 2 0\n3 1\n")
    both = server.serve("/b/train.txt", b"0 2 0\n3 1\n")
    server.serve("/b/test.txt", b"0 4\n3 0 2\n")
    path = fetch(split_entry(both.replace("/b/", "/a/"), both), tmp_path, progress=False)
    assert server.asked == ["/a/train.txt", "/a/test.txt", "/b/train.txt", "/b/test.txt"]
    assert left_in(tmp_path) == ["till", "till/test.txt", "till/train.txt"]
    assert loading.examine(split_entry(), path).ok


def test_a_part_that_is_nowhere_is_told(server: Server, tmp_path: Path) -> None:
    url = server.serve("/a/train.txt", b"0 2 0\n3 1\n")
    with pytest.raises(FetchError, match=r"/a/test\.txt answers 404"):
        fetch(split_entry(url), tmp_path, progress=False)
    assert left_in(tmp_path) == []


def test_into_the_cache_where_load_finds_it(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LLMARM_CACHE", str(tmp_path))
    monkeypatch.delenv("LLMARM_DATA", raising=False)
    made = entry(server.serve("/till.csv", BASKETS))
    fetch(made, progress=False)
    assert catalogue.locate(made) == tmp_path / "till" / "till.csv"
    assert capfd.readouterr().err == ""


def test_what_is_there_and_right_is_not_fetched_again(server: Server, tmp_path: Path) -> None:
    made = entry(server.serve("/till.csv", BASKETS))
    fetch(made, tmp_path, progress=False)
    assert fetch(made, tmp_path, progress=False) == tmp_path / "till" / "till.csv"
    assert server.asked == ["/till.csv"]


def test_what_is_there_and_wrong_is_replaced(server: Server, tmp_path: Path) -> None:
    (tmp_path / "till").mkdir()
    (tmp_path / "till" / "till.csv").write_bytes(BASKETS[:12])
    path = fetch(entry(server.serve("/till.csv", BASKETS)), tmp_path, progress=False)
    assert path.read_bytes() == BASKETS
    assert left_in(tmp_path) == ["till", "till/till.csv"]


def test_truncated_file(server: Server, tmp_path: Path) -> None:
    url = server.serve("/till.csv", BASKETS[:12], announced=len(BASKETS))
    with pytest.raises(FetchError, match=rf"till could not be fetched \({url} broke off before the end\)"):
        fetch(entry(url), tmp_path, progress=False)
    assert left_in(tmp_path) == []


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (BASKETS[:11], "rows 2, not 6"),
        (b"milk,bread\nmilk\ntea,milk,jam\n", "items 4, not 3"),
        (
            b"milk,bread\nbread\ntea,milk,bread\n",
            "fingerprint over basket_id, item_id [0-9a-f]{16}, not 57a8581ee1e4b68b",
        ),
        (b"\xff\xfe\x00", "not in the format of this data set"),
        (b"", "there are no transactions"),
    ],
)
def test_wrong_content_keeps_what_was_there(server: Server, tmp_path: Path, content: bytes, why: str) -> None:
    (tmp_path / "till").mkdir()
    (tmp_path / "till" / "till.csv").write_bytes(b"something older\n")
    with pytest.raises(FetchError, match=f"has the wrong content: .*{why}"):
        fetch(entry(server.serve("/till.csv", content)), tmp_path, progress=False)
    assert left_in(tmp_path) == ["till", "till/till.csv"]
    assert (tmp_path / "till" / "till.csv").read_bytes() == b"something older\n"


def test_mirrors_in_order(server: Server, tmp_path: Path) -> None:
    gone = f"http://127.0.0.1:{server.server_port}/gone.csv"
    wrong = server.serve("/wrong.csv", b"milk\n")
    short = server.serve("/short.csv", BASKETS[:5], announced=len(BASKETS))
    good = server.serve("/mirror/till", BASKETS)
    spare = server.serve("/spare.csv", BASKETS)
    path = fetch(entry(gone, wrong, short, good, spare), tmp_path, progress=False)
    assert path == tmp_path / "till" / "till.csv"
    assert path.read_bytes() == BASKETS
    assert [asked.split("/")[1] for asked in server.asked] == ["gone.csv", "wrong.csv", "short.csv", "mirror"]
    assert left_in(tmp_path) == ["till", "till/till.csv"]


def test_nowhere_to_be_found(server: Server, tmp_path: Path) -> None:
    urls = [f"http://127.0.0.1:{server.server_port}/{name}" for name in ("a.csv", "b.csv")]
    with pytest.raises(FetchError) as caught:
        fetch(entry(*urls), tmp_path, progress=False)
    sentence = str(caught.value)
    assert sentence == (
        f"till could not be fetched ({urls[0]} answers 404 Not Found; {urls[1]} answers 404 Not Found): check your "
        "connection and try again, or get it by hand from https://example.org/till and set LLMARM_DATA to its folder."
    )
    assert left_in(tmp_path) == []


def test_no_network(tmp_path: Path) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}/till.csv"
    with pytest.raises(FetchError, match=r"/till\.csv cannot be reached\): check your connection"):
        fetch(entry(url), tmp_path, progress=False)
    with pytest.raises(FetchError, match="cannot be reached"):
        fetch(entry("http://no-such-host.invalid/till.csv"), tmp_path, progress=False)
    assert left_in(tmp_path) == []


def test_too_little_room(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=7_000_000))
    url = server.serve("/till.csv", BASKETS)
    with pytest.raises(FetchError, match=r"till needs 20 MB in .*, where 7 MB are free: make room .* LLMARM_CACHE"):
        fetch(entry(url, megabytes=20), tmp_path, progress=False)
    assert server.asked == []


def test_disk_that_fills_up(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fill_up(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(pooch.HTTPDownloader, "__call__", fill_up)
    with pytest.raises(FetchError, match=r"cannot be stored in .* \(No space left on device\): set LLMARM_CACHE"):
        fetch(entry(server.serve("/till.csv", BASKETS)), tmp_path, progress=False)
    assert left_in(tmp_path) == []


def test_a_home_that_is_no_folder(tmp_path: Path, server: Server) -> None:
    (tmp_path / "home").write_text("a file")
    with pytest.raises(FetchError, match=r"cannot be stored in .* set LLMARM_CACHE"):
        fetch(entry(server.serve("/till.csv", BASKETS)), tmp_path / "home", progress=False)


def test_other_errors_of_the_machine_keep_their_traceback(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def break_down(*_: object) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(pooch.HTTPDownloader, "__call__", break_down)
    with pytest.raises(OSError, match="Input/output error"):
        fetch(entry("http://127.0.0.1:9/till.csv"), tmp_path, progress=False)


def test_killed_half_way_and_run_again(server: Server, tmp_path: Path) -> None:
    content = BASKETS * 1000
    url = server.serve("/till.csv", content)
    server.hold_after = len(content) // 2
    script = f"""
        from pathlib import Path
        from tests.data.test_download import entry, fetch
        fetch(entry({url!r}), Path({str(tmp_path)!r}), progress=False)
    """
    root = Path(__file__).resolve().parents[2]
    process = subprocess.Popen([sys.executable, "-c", textwrap.dedent(script)], cwd=root)
    deadline = time.monotonic() + 30
    while not any(path.is_file() and path.stat().st_size for path in tmp_path.rglob("*")):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert left_in(tmp_path)[0].startswith(".fetch-")
    assert not (tmp_path / "till").exists()
    server.hold_after = None
    made = entry(url, counts={"rows": 6000, "items": 3, "baskets": 3000}, fingerprint="")
    assert fetch(made, tmp_path, progress=False).read_bytes() == content
    assert left_in(tmp_path) == ["till", "till/till.csv"]


def test_the_working_folder_of_a_living_process_stays(server: Server, tmp_path: Path) -> None:
    (tmp_path / f".fetch-{os.getppid()}-abc").mkdir()
    fetch(entry(server.serve("/till.csv", BASKETS)), tmp_path, progress=False)
    assert f".fetch-{os.getppid()}-abc" in left_in(tmp_path)


# --- archives --------------------------------------------------------------------------------------------------------


def archive(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, content in members.items():
            packed.writestr(name, content)
    return buffer.getvalue()


def test_archives_are_unpacked_flat_and_only_what_belongs(server: Server, tmp_path: Path) -> None:
    members = {"../../evil.csv": b"x", "ml/Till.csv": BASKETS, "ml/README": b"terms", "ml/other.dat": b"y"}
    made = entry(server.serve("/a%20b/till.zip", archive(members)), parts=("README",))
    path = fetch(made, tmp_path / "home", progress=False)
    assert path.read_bytes() == BASKETS
    assert left_in(tmp_path) == ["home", "home/till", "home/till/README", "home/till/Till.csv"]


def test_damaged_archives(server: Server, tmp_path: Path) -> None:
    whole = archive({"till.csv": BASKETS * 50})
    broken = bytearray(whole)
    broken[45] ^= 0xFF
    for content, why in (
        (whole[:-30], "holds no till.csv"),
        (bytes(broken), "is a damaged archive"),
        (b"<html>", "holds no till.csv"),
        (archive({"other.csv": BASKETS}), "holds no till.csv"),
    ):
        with pytest.raises(FetchError, match=why):
            fetch(entry(server.serve("/till.zip", content)), tmp_path, progress=False)
        assert left_in(tmp_path) == []


def test_the_real_archive_of_movielens(real_data: Path, server: Server, tmp_path: Path) -> None:
    folder = real_data / "movielens-100k"
    members = {f"ml-100k/{name}": (folder / name).read_bytes() for name in ("u.data", "u.item", "u.user")}
    made = replace(catalogue.entry("movielens-100k"), urls=(server.serve("/ml-100k.zip", archive(members)),))
    path = fetch(made, tmp_path, progress=False)
    assert loading.examine(made, path).ok
    assert left_in(tmp_path) == ["movielens-100k", *(f"movielens-100k/{n}" for n in ("u.data", "u.item", "u.user"))]


def test_names() -> None:
    with pytest.raises(UnknownName, match="no data set 'tlil'"):
        fetch("tlil")
    with pytest.raises(FetchError, match="shop is not downloaded but generated"):
        fetch("shop")
