"""Names from the pages in which web servers list a directory ("Index of"), such as nginx, Apache, IIS and S3."""

from __future__ import annotations

import re
from html import unescape
from html.parser import HTMLParser
from urllib.parse import unquote

_LONGEST_VERSION = 80
_S3_KEY = re.compile("<Key>([^<]*)</Key>")
_ABSOLUTE = re.compile(r"^(?:(?:[a-z][a-z0-9+.-]*:)?//[^/]*/(?:.*/)?|/(?:.*/)?)", re.IGNORECASE)


def read_index(html: str) -> list[tuple[str, str]]:
    """The linked names, each with the text after its link, e.g. date and size; links to folders are left out.

    A name comes from the link's target, since servers shorten the displayed text. Some servers write absolute paths or
    whole addresses: only their last part counts, since only names within the directory are ever requested. A relative
    link into another folder is left out. A name may still be anything without a slash: callers take only known names.
    """
    if "<ListBucketResult" in html[:1000]:
        return [(name, "") for key in _S3_KEY.findall(html) if (name := unescape(key).rsplit("/", 1)[-1])]
    parser = _Index()
    parser.feed(html)
    parser.close()
    return [(name, " ".join(after.split())[:_LONGEST_VERSION]) for name, after in parser.found]


class _Index(HTMLParser):
    """Collects links and the text between the end of each and the next one."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, str]] = []
        self._named, self._inside = False, False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """A link."""
        if tag != "a":
            return
        target = (dict(attrs).get("href") or "").split("?")[0].split("#")[0]
        name = unquote(_ABSOLUTE.sub("", target.strip().removeprefix("./"), count=1))
        self._named, self._inside = name not in ("", ".", "..") and not {"/", "\\"} & set(name), True
        if self._named:
            self.found.append((name, ""))

    def handle_endtag(self, tag: str) -> None:
        """The end of a link's shown text."""
        if tag == "a":
            self._inside = False

    def handle_data(self, data: str) -> None:
        """Collect the server's text about the file."""
        if self._named and not self._inside and len(self.found[-1][1]) < 4 * _LONGEST_VERSION:
            name, after = self.found[-1]
            self.found[-1] = (name, after + data)
