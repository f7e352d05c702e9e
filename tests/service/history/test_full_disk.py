"""A disk of the service that takes nothing: a 503 that says so, and no traceback."""

from __future__ import annotations

import errno
import logging
import tempfile

import pytest

from tests.service.conftest import Client
from tests.service.routes.test_predict import check_problem


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS, errno.EDQUOT, errno.EFBIG])
def test_a_full_temporary_folder_is_a_labelled_503(
    client: Client, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, code: int
) -> None:
    def full(_: object) -> None:
        raise OSError(code, "no room")

    monkeypatch.setattr(tempfile.SpooledTemporaryFile, "rollover", full)
    with caplog.at_level(logging.ERROR, "raincell"):
        answer = client.post("/predict", files={"frames": ("f", b"x" * 3_000_000)})
    check_problem(answer, 503, "disk")
    assert answer.headers["retry-after"] == "60"
    assert not any(record.exc_info for record in caplog.records)


def test_any_other_error_of_the_system_stays_a_fault(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: object) -> None:
        raise OSError(errno.EIO, "broken")

    monkeypatch.setattr(tempfile.SpooledTemporaryFile, "rollover", broken)
    check_problem(client.post("/predict", files={"frames": ("f", b"x" * 3_000_000)}), 500)
