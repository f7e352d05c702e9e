from __future__ import annotations

import bz2
import gzip
import io
import tarfile
import tracemalloc

import pytest

from radar.errors import UnreadableFile
from radar.files.limits import UPLOADED
from radar.files.tar import is_tar, members


def entry(name: str = "a", size: int = 3, **header: object) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.size = size
    for key, value in header.items():
        setattr(info, key, value)
    return info


def archive(*entries: tarfile.TarInfo, kind: int = tarfile.USTAR_FORMAT) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=kind) as tar:
        for info in entries:
            tar.addfile(info, io.BytesIO(b"x" * info.size))
    return stream.getvalue()


@pytest.mark.parametrize("kind", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
@pytest.mark.parametrize("compress", [bytes, gzip.compress, bz2.compress])
def test_files_come_one_by_one_from_every_kind_of_archive(kind: int, compress: type[bytes]) -> None:
    entries = [entry("a", 0), entry("./b/c-hd5", 512), entry("d", 70_000, mtime=1234.5)]
    found = list(members(compress(archive(*entries, kind=kind)), "f"))
    assert [(name, len(contents)) for name, contents in found] == [("a", 0), ("./b/c-hd5", 512), ("d", 70_000)]
    assert set(found[2][1]) == {ord("x")}


def test_the_beginning_tells_a_tar() -> None:
    assert is_tar(archive(entry())[:512])
    assert not is_tar(archive(entry())[:511])
    assert not is_tar(bytes(512))


def _corrupted() -> bytes:
    data = bytearray(archive(entry()))
    data[5] ^= 1
    return bytes(data)


def _negative_size() -> bytes:
    data = bytearray(archive(entry()))
    data[124:136] = b"-0000000001\0"
    return bytes(data)


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (archive(entry(type=tarfile.SYMTYPE, linkname="/etc/passwd", size=0)), "regular files only"),
        (archive(entry(type=tarfile.LNKTYPE, linkname="b", size=0)), "regular files only"),
        (archive(entry(type=tarfile.CHRTYPE, size=0)), "regular files only"),
        (archive(entry(type=tarfile.FIFOTYPE, size=0)), "regular files only"),
        (archive(entry(type=tarfile.DIRTYPE, size=0)), "regular files only"),
        (archive(entry("x" * 150), kind=tarfile.GNU_FORMAT), "regular files only"),
        (archive(entry("/etc/passwd")), "got an absolute, parent or empty path"),
        (archive(entry("../up")), "got an absolute, parent or empty path"),
        (archive(entry("a/../../up")), "got an absolute, parent or empty path"),
        (archive(entry("C:\\x")), "got an absolute, parent or empty path"),
        (archive(entry("a"), entry("a")), "got 'a' twice"),
        (archive(*(entry(f"{k}", 0) for k in range(65))), "at most 64 files of different names in f, got more"),
        (archive(entry(size=17 * 2**20)), "files of at most 16,777,216 bytes"),
        (archive(entry(size=5000))[:2048], "a whole archive in f, got one that ends too early"),
        (_corrupted(), "a sound tar archive"),
        (_negative_size(), "a sound tar archive"),
        (bz2.compress(archive(entry()))[:-5], "a whole bzip2 stream"),
        (archive(entry()) + bytes(512 * 40) + b"more", None),
    ],
)
def test_what_is_no_plain_archive_is_refused(data: bytes, text: str | None) -> None:
    if text is None:
        assert len(list(members(data, "f"))) == 1  # padding after the end is usual
        return
    with pytest.raises(UnreadableFile) as caught:
        list(members(data, "f"))
    assert text in str(caught.value)
    assert "passwd" not in str(caught.value)


@pytest.mark.parametrize("compress", [gzip.compress, bz2.compress])
def test_a_bomb_takes_no_more_than_a_member(compress: type[bytes]) -> None:
    whole = archive(*(entry(f"{k}", 15 * 2**20) for k in range(10)))
    bomb = compress(whole)
    del whole
    assert len(bomb) < 500_000
    tracemalloc.start()
    try:
        with pytest.raises(UnreadableFile, match=f"at most {UPLOADED.archive_bytes:,} decompressed bytes"):
            for _ in members(bomb, "f"):
                pass
        assert tracemalloc.get_traced_memory()[1] < 80 * 2**20
    finally:
        tracemalloc.stop()


def test_a_bomb_behind_the_last_member_is_not_undone() -> None:
    bomb = gzip.compress(archive(entry()) + bytes(UPLOADED.archive_bytes // 2))
    with pytest.raises(UnreadableFile, match="at most 1,048,576 bytes after the last file"):
        list(members(bomb, "f"))


def test_a_crowd_of_extended_headers_is_refused() -> None:
    headers = archive(*(entry(f"{k}", 100, type=tarfile.XHDTYPE) for k in range(200)))
    with pytest.raises(UnreadableFile, match="at most 128 extended headers"):
        list(members(headers, "f"))
