"""Every score of a forecast frame as one vector of additive sums, laid out from the rows of `radar.scores.table`.

Counts are whole numbers, exact in float64 up to 2^53 pixels. Vectors of many frames stack to arrays (..., `size`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import astuple, dataclass, field
from functools import cached_property, partial
from typing import Any

import numpy as np
import numpy.typing as npt

from radar.scores.comparison import Comparison
from radar.scores.pixels import Float64, read_many
from radar.scores.table import Score, Statistic, at_width, kept_in

_FRAMES = 1
"""The number of sums in front of those of the scores: one, the number of frames."""


@dataclass(frozen=True)
class Measure:
    """Scores, thresholds and neighbourhoods, and the positions of their sums.

    The order of the sums is: frames; those without a threshold; then for each threshold all others, in the order of
    `scores`, and those of neighbourhoods width by width.

    Parameters
    ----------
    thresholds : tuple of float
        mm/h.
    fss_km : tuple of float
        Widths of neighbourhoods, the main one first.
    scores : tuple of Score
        By default all scores of an evaluation.
    """

    thresholds: tuple[float, ...]
    fss_km: tuple[float, ...]
    scores: tuple[Score, ...] = field(default_factory=partial(kept_in, "evaluation"))

    @cached_property
    def statistics(self) -> tuple[Statistic, ...]:
        """The statistics to add up, each once even if several scores read it."""
        return tuple(dict.fromkeys(score.sums for score in self.scores))

    @cached_property
    def size(self) -> int:
        """The number of sums."""
        return _FRAMES + sum(indices.size for indices in self._indices.values())

    def sums(self, pair: Comparison) -> Float64:
        """The sums (size,) of one frame."""
        sums = np.zeros(self.size)
        sums[0] = 1
        for statistic in self.statistics:
            indices = self._indices[statistic.name]
            sums[indices] = np.reshape([astuple(one) for one in self._updates(statistic, pair)], indices.shape)
        return sums

    def _updates(self, statistic: Statistic, pair: Comparison) -> Iterator[Any]:
        """The sums of one frame: once, for each threshold, or for each threshold and width."""
        if statistic.axis == "frame":
            yield statistic.update(pair)
            return
        for threshold in self.thresholds:
            if statistic.axis == "threshold":
                yield statistic.update(pair, threshold)
            else:
                yield from (statistic.update(pair, threshold, km) for km in self.fss_km)

    def part(self, statistic: Statistic, sums: Float64) -> Float64:
        """The sums of a statistic: (..., n), (..., thresholds, n) or (..., thresholds, widths, n)."""
        return sums[..., self._indices[statistic.name]]

    def put(self, statistic: Statistic, values: npt.ArrayLike, sums: Float64) -> None:
        """Write the sums of a statistic into `sums` (size,); raises ValueError unless their shape is that of `part`."""
        array, indices = np.asarray(values, np.float64), self._indices[statistic.name]
        if array.shape != indices.shape:
            raise ValueError(f"expected {statistic.name} of shape {indices.shape}, got {array.shape}")
        sums[indices] = array

    def read(self, score: Score, sums: Float64) -> Float64:
        """A score (...), (..., thresholds) or (..., thresholds, widths) from sums (..., size); NaN where undefined."""
        return read_many(score.read, score.sums.kind, self.part(score.sums, sums))

    def read_by_threshold(self, score: Score, sums: Float64) -> Float64:
        """A score (..., thresholds): repeated if it has no threshold, of the first width if it has several."""
        return self._by_threshold(score, self.read(score, sums))

    def read_all(self, sums: Float64) -> dict[str, Float64]:
        """All scores by name, as from `read_by_threshold`, and also those of every width as "fss_5km"."""
        found: dict[str, Float64] = {}
        for score in self.scores:
            values = self.read(score, sums)
            found[score.name] = self._by_threshold(score, values)
            if score.axis == "neighbourhood":
                found |= {at_width(score.name, km): values[..., place] for place, km in enumerate(self.fss_km)}
        return found

    def _by_threshold(self, score: Score, values: Float64) -> Float64:
        if score.axis == "frame":
            return np.broadcast_to(values[..., None], (*values.shape, len(self.thresholds)))
        return values[..., 0] if score.axis == "neighbourhood" else values

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """A name for each sum, in order: "frames", "hits_0.1"; it includes the width where there are several."""
        names = np.empty(self.size, dtype=object)
        names[0] = "frames"
        widths = [f"_{km:g}km" if len(self.fss_km) > 1 else "" for km in self.fss_km]
        for statistic in self.statistics:
            ends = [""]
            if statistic.axis != "frame":
                inner = widths if statistic.axis == "neighbourhood" else [""]
                ends = [f"{width}_{threshold:g}" for threshold in self.thresholds for width in inner]
            indices = self._indices[statistic.name]
            names[indices.ravel()] = [f"{column}{end}" for end in ends for column in statistic.columns]
        return tuple(names)

    @cached_property
    def _indices(self) -> Mapping[str, npt.NDArray[np.int64]]:
        """The positions of the sums of each statistic, in the shape of `part`."""
        found, end = {}, _FRAMES
        for each in (one for one in self.statistics if one.axis == "frame"):
            found[each.name] = end + np.arange(len(each.columns))
            end += len(each.columns)
        others = [one for one in self.statistics if one.axis != "frame"]
        shapes = [(len(self.fss_km),) * (one.axis == "neighbourhood") + (len(one.columns),) for one in others]
        sizes = [int(np.prod(shape)) for shape in shapes]
        rows = end + sum(sizes) * np.arange(len(self.thresholds))
        for place, (each, shape) in enumerate(zip(others, shapes, strict=True)):
            inner = sum(sizes[:place]) + np.arange(sizes[place]).reshape(shape)
            found[each.name] = rows.reshape(-1, *(1 for _ in shape)) + inner
        return found
