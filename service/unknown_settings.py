"""Warnings for unknown settings, such as mistyped names, with the most similar known name."""

from __future__ import annotations

import difflib
import logging
from collections.abc import Iterable, Mapping
from pathlib import Path

from service.settings import Settings

OTHERS = frozenset(
    {
        *("SECRETS", "DEMO_HOURS", "TEST_DATA", "TEST_GOLDEN"),
        *("HTTP", "HTTPS", "TLS", "REPLICAS", "REDIS_MEMORY", "REDIS_LIMIT", "SOURCE", "PRODUCT", "INBOX", "GRAFANA"),
        *(
            "RETRAIN_MODEL",
            "RETRAIN_CONFIG",
            "RETRAIN_AT",
            "SERVICE_LIMIT",
            "TRAINING_LIMIT",
            "VERSION",
            "COMMIT",
            "TORCH_INDEX",
        ),
        *("SERVICE_IMAGE", "TRAINING_IMAGE", "SERVICE_GPU_IMAGE", "TRAINING_GPU_IMAGE", "COMPOSE_OVERRIDE", "ENV_FILE"),
    }
)
"""Names that other programs read: Docker Compose, the Makefile, tests."""
_PREFIX = "RAINCELL_"

_logger = logging.getLogger("raincell")


def unknown_settings(environment: Mapping[str, str], secrets: Iterable[str] = ()) -> list[str]:
    """A warning for each variable, and each file of the folder of secrets, that nothing reads.

    Parameters
    ----------
    environment : mapping of str to str
        Variables.
    secrets : iterable of str
        Names of files.
    """
    known = {f"{_PREFIX}{name.upper()}" for name in Settings.model_fields} | {f"{_PREFIX}{name}" for name in OTHERS}
    warnings = []
    for name in sorted({*environment, *secrets}):
        if name.upper().startswith(_PREFIX) and name.upper() not in known:
            near = difflib.get_close_matches(name.upper(), known, 1, cutoff=0.8)
            suggestion = f"; {near[0]} may be meant" if near else ""
            warnings.append(f"{name} is not a setting, and nothing reads it{suggestion}")
    return warnings


def warn_of_unknown_settings(environment: Mapping[str, str]) -> None:
    """Log the warnings."""
    folder = environment.get(f"{_PREFIX}SECRETS")
    files = [path.name for path in Path(folder).iterdir()] if folder and Path(folder).is_dir() else []
    for text in unknown_settings(environment, files):
        _logger.warning("%s", text)
