"""A folder for unusable files, so that an operator can inspect them."""

from __future__ import annotations

from pathlib import Path

MOST_KEPT = 100


class BadFiles:
    """Keeps the newest `MOST_KEPT` files, each with its reason in NAME.reason.txt.

    Parameters
    ----------
    folder : Path
        Created with the first file.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def keep(self, name: str, data: bytes, reason: str) -> None:
        """Keep a file under its name, which must be plain; raises OSError."""
        self._folder.mkdir(parents=True, exist_ok=True)
        # The reason is written first, so that it exists once the file does.
        self._write(f"{name}.reason.txt", f"{reason}\n".encode())
        self._write(name, data)
        kept = [path for path in self._folder.iterdir() if (self._folder / f"{path.name}.reason.txt").exists()]
        for path in sorted(kept, key=lambda path: path.stat().st_mtime_ns)[:-MOST_KEPT]:
            path.unlink(missing_ok=True)
            (self._folder / f"{path.name}.reason.txt").unlink(missing_ok=True)

    def _write(self, name: str, data: bytes) -> None:
        temporary = self._folder / f".{name}.writing"
        temporary.write_bytes(data)
        temporary.replace(self._folder / name)
