"""A folder for files that could not be used, so that somebody can look at them."""

from __future__ import annotations

from pathlib import Path

MOST_KEPT = 100


class BadFiles:
    """Keeps the newest `MOST_KEPT` files with the reason beside each, in NAME.reason.txt.

    Parameters
    ----------
    folder : Path
        Made when the first file comes.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def keep(self, name: str, data: bytes, reason: str) -> None:
        """Keep a file under its name, which must be a plain one; raises OSError."""
        self._folder.mkdir(parents=True, exist_ok=True)
        # The reason first: whoever sees the file then finds it, too.
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
