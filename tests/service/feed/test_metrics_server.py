"""The feed's /metrics over HTTP."""

from __future__ import annotations

import httpx
import pytest

from radar.errors import InvalidRequest
from service.feed.metrics import FeedMetrics


def test_head_is_get_without_a_body_and_a_taken_port_is_refused() -> None:
    port = FeedMetrics().serve("127.0.0.1", 0)
    url = f"http://127.0.0.1:{port}/metrics"
    head, get = (httpx.request(method, url, headers={"Accept-Encoding": "identity"}) for method in ("HEAD", "GET"))
    assert (head.status_code, get.status_code) == (200, 200)
    assert head.content == b""
    assert head.headers["content-type"] == get.headers["content-type"]
    assert int(head.headers["content-length"]) > 100
    assert b"raincell_feed_quiet 0.0" in get.content
    assert httpx.post(url).status_code == 405
    with pytest.raises(InvalidRequest, match=f"a free port {port}"):
        FeedMetrics().serve("127.0.0.1", port)
