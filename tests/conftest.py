"""Fixtures that all rooms share."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# What an example takes tells of the machine's other work only.
settings.register_profile("busy machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("busy machine")


_LONGEST = ("test_fortnight.py", "test_killed.py", "test_retrain_real_events.py", "test_sixteen_models.py")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes longest, so that no worker is left alone with it: stories of minutes, then training."""
    items.sort(key=lambda item: (item.path.name not in _LONGEST, "training" not in item.path.parts))


def pytest_collection_finish() -> None:
    """Have the collector of garbage pass by the million objects of modules and tests, which stay to the end."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real radar files that RAINCELL_TEST_DATA names; without it the test is skipped."""
    folder = os.environ.get("RAINCELL_TEST_DATA", "")
    if not folder:
        pytest.skip("needs real radar files: set RAINCELL_TEST_DATA to the folder that holds dwd/ and events/")
    assert Path(folder, "dwd").is_dir(), f"RAINCELL_TEST_DATA={folder} holds no dwd/"
    return Path(folder)


@pytest.fixture(scope="session")
def golden() -> Path:
    """The folder of the authors' proof cases that RAINCELL_TEST_GOLDEN names; without it the test is skipped."""
    folder = os.environ.get("RAINCELL_TEST_GOLDEN", "")
    if not folder:
        pytest.skip("needs the authors' proof cases: set RAINCELL_TEST_GOLDEN to the folder of NAME.npz files")
    return Path(folder)


@pytest.fixture(scope="session", autouse=True)
def _graphs_are_made_once(pytestconfig: pytest.Config) -> Iterator[None]:
    """Exports in this process share the graphs of their networks, see `tests.graphs`."""
    with pytest.MonkeyPatch.context() as patch:
        if "training" in sys.modules:  # or else nothing that was collected exports, and torch takes seconds
            import training.export.export
            from tests.graphs import remembering
            from training.export.graph import one_step_graph

            folder = pytestconfig.cache.mkdir("graphs")
            patch.setattr(training.export.export, "one_step_graph", remembering(one_step_graph, folder))
            patch.setenv("RAINCELL_TEST_GRAPHS", str(folder))  # for tests.training.preloaded
        yield
