"""Polling of the model repository: new champions are checked beside the old ones before they are served."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

from anyio.to_thread import run_sync

from models.recurrent import Shape
from models.repository import champion_of, model_names, version_file_path
from radar.errors import RaincellError
from service.forecasting.catalogue import Catalogue, Load, Rejection, ServedModel, load_catalogue, load_champion

Fingerprint = tuple[object, ...]
"""A value that changes when an alias, or a file of the version that it names, changes."""

_logger = logging.getLogger("raincell")


class ModelWatch:
    """Keeps a catalogue equal to its repository.

    A changed champion is loaded, checked with its golden case and warmed for recently forecast shapes, all in the
    caller's thread while the old one is served. Then it is put into the catalogue. A champion that cannot be served is
    reported there, and tried again only when its alias or its files change. Models without aliases are removed, except
    the last one. A chosen default that has left the repository has no substitute: its absence is reported.
    """

    def __init__(self, repository: Path, load: Load) -> None:
        self._repository = repository
        self._load = load
        # Before the models are loaded, so that the first look finds changes in the meantime.
        self._last_fingerprints = self._fingerprints()
        self._serving = dict(self._last_fingerprints)
        self.catalogue: Catalogue = load_catalogue(repository, load)

    async def run(self, seconds: float) -> None:
        """Look at intervals, until cancelled; failures are logged once, and tried again."""
        fault = ""
        while True:
            await asyncio.sleep(seconds)
            try:
                await run_sync(self.look)
                fault = ""
            except Exception as error:  # a shared folder may be missing for a while, or hold unforeseen files
                now = type(error).__name__
                if now != fault:
                    known = None if isinstance(error, OSError | RaincellError) else error
                    _logger.warning("the model repository cannot be read: %s", now, exc_info=known)
                fault = now

    def look(self) -> None:
        """Bring the catalogue up to date; takes as long as loading the changed models."""
        found = self._fingerprints()
        for name, fingerprint in found.items():
            if self._last_fingerprints.get(name) != fingerprint:
                self._renew(name, fingerprint)
        for name in self.catalogue.names:
            if name not in found:
                self._remove(name, found)
        for rejection in self.catalogue.rejected:
            gone = rejection.name not in found and rejection.name not in self.catalogue.models
            if gone and rejection.name != self.catalogue.default:
                self.catalogue.accept(rejection.name)
        self._last_fingerprints = found

    def _renew(self, name: str, fingerprint: Fingerprint) -> None:
        if self._serving.get(name) == fingerprint and name in self.catalogue.models:
            self.catalogue.accept(name)  # an alias that was reset
            return
        try:
            model = load_champion(self._repository, name, self._load)
            for shape in self._shapes_in_use():
                model.forecaster.warm_up(shape)
        except Exception as error:  # the old model stays served, whatever the files contain
            self._reject(name, error)
            return
        self._serving[name] = fingerprint
        self.catalogue.put(name, model)
        _logger.info("model %s: version %s serves from now on", name, model.forecaster.card.version)

    def _reject(self, name: str, error: Exception) -> None:
        # Other errors may hold paths of the server, and callers get this text.
        reason = str(error) if isinstance(error, RaincellError) else f"it cannot be read ({type(error).__name__})"
        rejection = Rejection(name, self._version(name), reason)
        self.catalogue.reject(rejection)
        _logger.error("model %s: version %s is refused: %s", name, rejection.version, reason)

    def _remove(self, name: str, found: dict[str, Fingerprint]) -> None:
        if not any(other in found for other in self.catalogue.names):
            version = self.catalogue.models[name].forecaster.card.version
            self.catalogue.reject(Rejection(name, version, "its aliases are gone; it is served, since no other is"))
            return
        version = self.catalogue.models[name].forecaster.card.version
        self.catalogue.remove(name)
        self.catalogue.accept(name)
        self._serving.pop(name, None)
        _logger.info("model %s is gone from the repository and no longer served", name)
        why = self.catalogue.default_gone
        if why and name == self.catalogue.default:
            self.catalogue.reject(Rejection(name, version, why))
            _logger.error("%s: no run is made, and forecasts that name no model are refused", why)

    def _version(self, name: str) -> str | None:
        try:
            return champion_of(self._repository, name)
        except (RaincellError, OSError):
            return None

    def _shapes_in_use(self) -> list[Shape]:
        return _shapes(list(self.catalogue.models.values()))

    def _fingerprints(self) -> dict[str, Fingerprint]:
        return {name: self._fingerprint(name) for name in model_names(self._repository)}

    def _fingerprint(self, name: str) -> Fingerprint:
        try:
            version = champion_of(self._repository, name)
            path = version_file_path(self._repository, name, version)
        except (RaincellError, OSError):
            return ("aliases", *_stat(self._repository / name / "aliases.json"))
        return (version, *_stat(path), *_stat(path.with_name("manifest.json")))


def _shapes(models: list[ServedModel]) -> list[Shape]:
    return sorted({shape for model in models for shape in model.forecaster.recent_shapes})


def _stat(path: Path) -> tuple[int, ...]:
    try:
        found = path.stat()
    except OSError:
        return ()
    return (found.st_ino, found.st_size, found.st_mtime_ns)
