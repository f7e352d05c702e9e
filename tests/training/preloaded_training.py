"""What `python -m training` imports, for `tests.preloaded`; exports share graphs as those of tests do."""

from __future__ import annotations

import os
from pathlib import Path

import training.evaluate.learnt
import training.fit.loop
import training.retrain.retrain
import training.retrain.summary  # noqa: F401
from tests.graphs import share_graphs

share_graphs(Path(os.environ["RAINCELL_TEST_GRAPHS"]))
