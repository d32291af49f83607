"""get_file: whole or not at all, checked, contained."""

import functools
import hashlib
import http.server
import io
import os
import pathlib
import tarfile
import threading
import zipfile

import pytest

from cornu import settings
from cornu.serialization import CorruptFileError, UnsafeFileError
from cornu.utils import files, get_file
from tests import oracle


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def do_GET(self):
        if self.path.startswith("/cut/"):  # says 100 bytes, sends 10
            self.send_response(200)
            self.send_header("Content-Length", "100")
            self.end_headers()
            self.wfile.write(b"0123456789")
            return
        super().do_GET()


@pytest.fixture
def web(tmp_path):
    """A folder and the URL under which a local server gives it out."""
    folder = tmp_path / "web"
    folder.mkdir()
    server = http.server.HTTPServer(("127.0.0.1", 0), functools.partial(_Quiet, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield folder, f"http://127.0.0.1:{server.server_address[1]}/"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def tree(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def tar(path, *members, mode="w:gz"):
    """An archive of (name or TarInfo, content)."""
    with tarfile.open(path, mode) as archive:
        for member, content in members:
            info = member if isinstance(member, tarfile.TarInfo) else tarfile.TarInfo(member)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


def test_download_then_cache(web, home, capsys):
    folder, url = web
    (folder / "a.txt").write_bytes(b"first")
    digest = hashlib.sha256(b"first").hexdigest()
    path = get_file(origin=url + "a.txt", file_hash=digest)
    assert path == str(home / "datasets" / "a.txt") and pathlib.Path(path).read_bytes() == b"first"
    assert capsys.readouterr().out == f"Downloading data from {url}a.txt\n"
    (folder / "a.txt").write_bytes(b"second")
    assert pathlib.Path(get_file(origin=url + "a.txt", file_hash=digest)).read_bytes() == b"first"
    assert capsys.readouterr().out == ""
    assert pathlib.Path(get_file(origin=url + "a.txt", force_download=True)).read_bytes() == b"second"
    assert tree(home) == ["datasets/a.txt"]


def test_a_damaged_copy_is_fetched_again(web, home, capsys):
    folder, url = web
    (folder / "a.txt").write_bytes(b"right")
    (home / "datasets").mkdir(parents=True)
    (home / "datasets" / "a.txt").write_bytes(b"wrong")
    path = get_file(origin=url + "a.txt", md5_hash=hashlib.md5(b"right").hexdigest())
    assert pathlib.Path(path).read_bytes() == b"right"
    assert "is not the expected" in capsys.readouterr().out


@pytest.mark.parametrize("digest", ["0" * 64, "0" * 32])
def test_a_wrong_hash_keeps_nothing(web, home, digest):
    folder, url = web
    (folder / "a.txt").write_bytes(b"right")
    with pytest.raises(ValueError, match="wanted 0000"):
        get_file(origin=url + "a.txt", file_hash=digest)
    assert tree(home) == []


def test_a_cut_connection_keeps_nothing(web, home):
    with pytest.raises(ConnectionError, match="10 of 100 bytes"):
        get_file(origin=web[1] + "cut/a.txt")
    assert tree(home) == []


def test_missing(web, home):
    with pytest.raises(ConnectionError, match="File not found") as raised:
        get_file(origin=web[1] + "none.txt")
    assert str(home / "datasets" / "none.txt") in str(raised.value)


def test_names(web, home):
    with pytest.raises(ValueError, match="without folders"):
        get_file("../a.txt", origin=web[1] + "a.txt")
    with pytest.raises(ValueError, match="give `fname`"):
        get_file(origin=web[1])
    with pytest.raises(ValueError, match="give `origin`"):
        get_file("a.txt")
    with pytest.raises(ValueError, match="hash_algorithm"):
        (web[0] / "a.txt").write_bytes(b"")
        get_file(origin=web[1] + "a.txt", file_hash="0", hash_algorithm="crc")


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="nothing is read-only to this user")
def test_read_only_cache(web, home):
    home.mkdir()
    home.chmod(0o500)
    with pytest.raises(OSError, match="KERAS_HOME"):
        get_file(origin=web[1] + "a.txt")


@pytest.mark.parametrize("name", ["data.tar.gz", "data.tgz", "data", "data.zip"])
@pytest.mark.parametrize("options", [{"extract": True}, {"extract": True, "archive_format": ["tar", "zip"]}, {"cache_subdir": "models", "extract": True}])
def test_unpack_as_keras(web, home, name, options, tmp_path):
    folder, url = web
    if name.endswith("zip"):
        with zipfile.ZipFile(folder / "source", "w") as archive:
            archive.writestr("in/a.txt", b"a")
            archive.writestr("b.txt", b"b")
    else:
        tar(folder / "source", ("in/a.txt", b"a"), ("./b.txt", b"b"))
    ours = get_file(name, origin=url + "source", **options)
    there = tmp_path / "keras"
    there.mkdir()
    snippet = "out['path'] = keras.utils.get_file(name, origin=url, cache_dir=home, **options)"
    theirs = oracle.run(snippet, name=name, url=url + "source", home=str(there), options=options)["path"]
    assert os.path.relpath(ours, home) == os.path.relpath(theirs, there)
    assert tree(home) == tree(there)


def test_unpack_once(web, home):
    folder, url = web
    tar(folder / "a.tar", ("a.txt", b"a"), mode="w")
    path = get_file(origin=url + "a.tar", untar=True)
    os.unlink(os.path.join(path, "a.txt"))
    assert tree(home) == tree(home) and get_file(origin=url + "a.tar", untar=True) == path
    assert tree(home) == ["datasets/a.tar"]
    get_file(origin=url + "a.tar", untar=True, force_download=True)
    assert tree(home) == ["datasets/a.tar", "datasets/a_extracted/a.txt"]


def _link(kind):
    info = tarfile.TarInfo("link")
    info.type, info.linkname = kind, "/etc/passwd"
    return info


@pytest.mark.parametrize(
    "members",
    [
        [("../out.txt", b"")],
        [("in/../../out.txt", b"")],
        [("/out.txt", b"")],
        [("in\\..\\..\\out.txt", b"")],
        [("c:out.txt", b"")],
        [(_link(tarfile.SYMTYPE), b"")],
        [(_link(tarfile.LNKTYPE), b"")],
        [(_link(tarfile.CHRTYPE), b"")],
        [(_link(tarfile.FIFOTYPE), b"")],
    ],
)
def test_unsafe_members(web, home, members):
    folder, url = web
    tar(folder / "a.tar.gz", ("good.txt", b"good"), *members)
    with pytest.raises(UnsafeFileError, match=r"a\.tar\.gz: .*member"):
        get_file(origin=url + "a.tar.gz", extract=True)
    assert tree(home) == ["datasets/a.tar.gz"]


def test_unsafe_zip(web, home):
    folder, url = web
    with zipfile.ZipFile(folder / "a.zip", "w") as archive:
        link = zipfile.ZipInfo("link")
        link.external_attr = 0o120777 << 16
        archive.writestr(link, "/etc/passwd")
    with pytest.raises(UnsafeFileError, match="link or a device"):
        get_file(origin=url + "a.zip", extract=True)


@pytest.mark.parametrize("kind", ["zip", "tar.gz"])
def test_bomb(web, home, kind, monkeypatch):
    monkeypatch.setattr(files, "FREE_BYTES", 1 << 20)
    folder, url = web
    zeros = bytes(1 << 24)
    if kind == "zip":
        with zipfile.ZipFile(folder / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("zeros", zeros)
    else:
        tar(folder / "a.tar.gz", ("zeros", zeros))
    with pytest.raises(UnsafeFileError, match="200 times its size"):
        get_file(origin=url + f"a.{kind}", extract=True)
    assert tree(home) == [f"datasets/a.{kind}"]


def test_no_archive(web, home):
    folder, url = web
    (folder / "a.zip").write_bytes(b"text")
    with pytest.raises(CorruptFileError, match="no archive of format tar or zip"):
        get_file(origin=url + "a.zip", extract=True)
    with pytest.raises(ValueError, match="archive_format"):
        get_file(origin=url + "a.zip", extract=True, archive_format="rar")
    assert get_file(origin=url + "a.zip", extract=True, archive_format=None).endswith("a_extracted")


def test_cut_archive(web, home):
    folder, url = web
    content = tar(folder / "b", ("a.bin", os.urandom(100000))).read_bytes()
    (folder / "a.tar.gz").write_bytes(content[: len(content) // 2])
    with pytest.raises(CorruptFileError, match="cannot be unpacked"):
        get_file(origin=url + "a.tar.gz", extract=True)
    assert tree(home) == ["datasets/a.tar.gz"]


def test_bar(web, home, monkeypatch, capsys):
    folder, url = web
    (folder / "a.txt").write_bytes(b"x" * 1000)
    monkeypatch.setattr(files.sys.stdout, "isatty", lambda: True, raising=False)
    get_file(origin=url + "a.txt")
    assert "a.txt" in capsys.readouterr().out
    monkeypatch.setitem(settings._values, "interactive_logging", False)
    get_file(origin=url + "a.txt", force_download=True)
    assert capsys.readouterr().out == ""
