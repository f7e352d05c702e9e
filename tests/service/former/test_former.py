"""What a former commit wrote goes on working: its Redis, ledger, archive and models, and the answers that clients know.

make_former.py made written.tar.xz.
"""

from __future__ import annotations

import base64
import json
import tarfile
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from models.onnx_forecaster import load_forecaster
from models.repository import champions
from radar.archive import Archive
from radar.ledger.ledger import read_scores
from service.redis.client import connect
from tests.service.conftest import RedisServer, ServiceProcess, wait_until
from tests.service.stories.test_whole_way import set_clock

PACKED = Path(__file__).with_name("written.tar.xz")
SHIFTED_CLOCK = Path(__file__).parents[1] / "stories" / "shifted_clock.py"
ARCHIVED_STEP = 0.01
"""mm/h"""


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that a former commit wrote."""
    folder = tmp_path_factory.mktemp("former")
    with tarfile.open(PACKED) as packed:
        packed.extractall(folder, filter="data")
    return folder / "written"


@pytest.fixture(scope="module")
def former(written: Path) -> dict[str, Any]:
    """Its Redis by key, and answers by path."""
    content: dict[str, Any] = json.loads((written / "former.json").read_text())
    return content


def restored(server: RedisServer, values: dict[str, Any]) -> None:
    """Put values back into an empty server."""
    redis = connect(server.url)
    for key, value in values.items():
        content = value["value"]
        if value["type"] == "string":
            redis.set(key, base64.b64decode(content))
        elif value["type"] == "hash":
            redis.hset(key, mapping={base64.b64decode(field): base64.b64decode(entry) for field, entry in content})
        elif value["type"] == "zset":
            redis.zadd(key, {base64.b64decode(member): score for member, score in content})
        else:
            redis.sadd(key, *[base64.b64decode(member) for member in content])


@pytest.fixture
def service(
    written: Path,
    former: dict[str, Any],
    redis_server: RedisServer,
    make_service_process: Callable[..., ServiceProcess],
    tmp_path: Path,
) -> ServiceProcess:
    """This service on what the former one left, a minute after its last frame."""
    restored(redis_server, former["redis"])
    clock = tmp_path / "clock"
    set_clock(clock, datetime.fromisoformat(former["end"]) + timedelta(minutes=1))
    program = [str(SHIFTED_CLOCK), str(clock), "run"]
    return make_service_process(
        program,
        RAINCELL_REDIS_URL=redis_server.url,
        RAINCELL_MODEL_REPOSITORY=str(written / "models"),
        RAINCELL_VERIFICATION=str(written / "ledger"),
        RAINCELL_RUN_LEAD_MINUTES="30",
    )


def ageless(answer: Any) -> Any:
    """An answer without ages, which grow with the seconds that a test takes."""
    if isinstance(answer, dict):
        return {key: ageless(value) for key, value in answer.items() if not key.endswith("age_seconds")}
    return [ageless(value) for value in answer] if isinstance(answer, list) else answer


def as_before(now: Any, before: Any) -> Any:
    """An answer without keys that it did not have before: a client of before does not read them."""
    if isinstance(now, dict) and isinstance(before, dict):
        return {key: as_before(value, before[key]) for key, value in now.items() if key in before}
    if isinstance(now, list) and isinstance(before, list) and len(now) == len(before):
        return [as_before(*pair) for pair in zip(now, before, strict=True)]
    return now


def test_a_client_gets_the_answers_of_before(service: ServiceProcess, former: dict[str, Any]) -> None:
    wait_until(lambda: httpx.get(f"{service.url}/verification?period=7d").json()["scores"] != [], "the ledger")
    for path, answer in former["answers"].items():
        now = as_before(httpx.get(service.url + path, timeout=60).json(), answer)
        assert ageless(now) == ageless(answer), path
    assert httpx.get(f"{service.url}/nowcast", timeout=60).json()["run"] == former["run"]


def test_the_archive_is_read(written: Path, former: dict[str, Any]) -> None:
    archive = Archive(written / "archive")
    end = datetime.fromisoformat(former["end"])
    (grid,) = [folder.name for folder in (written / "archive" / "RY").iterdir()]
    read = archive.read("RY", grid, end - timedelta(minutes=25), end)
    observed = np.load(written / "observed.npy")[-6:]
    np.testing.assert_allclose(read.rain_rate, observed, atol=ARCHIVED_STEP / 2 + 1e-6)


def test_the_ledger_is_read(written: Path) -> None:
    assert read_scores(written / "ledger")


def test_the_model_is_served(written: Path) -> None:
    (path,) = champions(written / "models").values()
    assert load_forecaster(path, "cpu").name == "still"
