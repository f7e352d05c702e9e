"""Runs in each media type: the index, the frames, and fields of probabilities."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from radar.extrapolation.neighbourhood import half_width_km
from radar.files.netcdf.writer import Quantity, to_netcdf
from radar.products import attribution
from radar.sequence import Float32, FrameSequence, iso
from service.answers.arrays import Encoding, frames_json, npy_of, to_json
from service.answers.cog import to_cog
from service.answers.images import PROBABILITY_COLOURS, to_png, to_webp
from service.answers.large import Content
from service.answers.nowcast import Nowcast, describe_grid
from service.answers.placement import placement_headers
from service.answers.render import JSON, WRITERS, printable
from service.http.own_headers import Own
from service.runs.probability import METHOD, members, probabilities
from service.runs.reader import THRESHOLDS, WHOLE, RunReader, Window
from service.runs.region import part_of
from service.runs.run import Run

TIFF = "image/tiff"


@dataclass(frozen=True)
class Part:
    """A part of a run: some of its frames, and of those a window."""

    run: Run
    minutes: tuple[int, ...]
    window: Window
    degraded: str | None

    def sequence(self, values: Float32) -> FrameSequence:
        """Fields of this part, with their times and place."""
        run = self.run
        return FrameSequence(
            rain_rate=values,
            valid_times=tuple(run.valid_time(minutes) for minutes in self.minutes),
            grid=part_of(run.grid, self.window),
            timestep_minutes=run.timestep_minutes,
            product=run.product,
            reference_time=run.reference_time,
        )


def run_url(run: Run, root_path: str) -> str:
    """Where a run's index is, which never changes, below the path at which callers reach the service."""
    return f"{root_path}/nowcast/{run.id}"


def index_json(part: Part, root_path: str = "") -> Content:
    """See RunAnswer."""
    run = part.run
    url = run_url(run, root_path)

    def frame(minutes: int) -> dict[str, Any]:
        probability = f"{url}/probability/{minutes}?threshold=1" if minutes > 0 else None
        where = {"url": f"{url}/frames/{minutes}", "probability_url": probability}
        return {"lead_minutes": minutes, "valid_time": iso(run.valid_time(minutes)), **where}

    answer = {
        "run": run.id,
        "url": url,
        "product": run.product,
        "grid": describe_grid(run.grid),
        "reference_time": iso(run.reference_time),
        "timestep_minutes": run.timestep_minutes,
        "made_at": iso(run.made_at),
        "model": run.model,
        "version": run.version,
        "method": run.method,
        "history_times": [iso(time) for time in run.history_times],
        "degraded": part.degraded,
        "attribution": attribution(run.product),
        "thresholds": list(THRESHOLDS),
        "observed": [frame(minutes) for minutes in run.observed_minutes],
        "forecast": [frame(minutes) for minutes in part.minutes],
    }
    return [json.dumps(answer).encode()]


def frames_content(reader: RunReader, part: Part, media_type: str, encoding: Encoding) -> Content:
    """Frames of a run, in mm/h; images show the last of them."""
    run = part.run
    nowcast = Nowcast(
        forecast=part.sequence(reader.rain(run, part.minutes, part.window)),
        model=run.model,
        version=run.version,
        history_times=run.history_times,
        made_at=run.made_at,
        attribution=attribution(run.product),
        degraded=part.degraded,
        method=run.method,
        run=run.id,
    )
    if media_type == JSON:
        return to_json(nowcast, encoding)
    if media_type == TIFF:
        return [to_cog(nowcast.forecast, nowcast.attribution)]
    return WRITERS[media_type](nowcast)


def probability_content(
    reader: RunReader, part: Part, earlier: Sequence[Run], threshold: float, media_type: str, encoding: Encoding
) -> Content:
    """The probability, 0 to 1, of a rate at or above `threshold` (mm/h) at the part's one lead time."""
    (lead,) = part.minutes
    (field,) = probabilities(reader, part.run, earlier, lead, [threshold], part.window)
    sequence = part.sequence(field[None])
    said, quantity = _about_field(part, earlier, threshold), f"probability of at least {threshold:g} mm/h"
    if media_type == JSON:
        return _field_json(sequence, said, encoding)
    if media_type == "application/x-npy":
        return npy_of(sequence.rain_rate)
    if media_type == "image/png":
        return [to_png(sequence, said["attribution"], quantity, PROBABILITY_COLOURS)]
    if media_type == "image/webp":
        return [to_webp(field, PROBABILITY_COLOURS)]
    if media_type == TIFF:
        return [to_cog(sequence, said["attribution"], quantity)]
    attributes = {name: str(said[name]) for name in ("run", "method", "degraded", "attribution") if said[name]}
    attributes["runs"] = " ".join(said["runs"])
    attributes["source"] = f"Raincell: {part.run.model} {part.run.version}, {said['method']}"
    attributes["history"] = f"{iso(part.run.made_at)} run made by Raincell"
    return [to_netcdf(sequence, attributes=attributes, quantity=_probability(threshold))]


def headers_of(part: Part) -> dict[str, str]:
    """What a reader of arrays and images cannot find in them, but for the age, which changes."""
    run = part.run
    headers = {
        Own.RUN: run.id,
        Own.MODEL: f"{run.model} {run.version}",
        Own.METHOD: run.method,
        Own.PRODUCT: run.product,
        Own.GRID: part_of(run.grid, part.window).key,
        Own.REFERENCE_TIME: iso(run.reference_time),
        Own.LEAD_MINUTES: ",".join(map(str, part.minutes)),
        Own.DEGRADED: part.degraded,
        Own.ATTRIBUTION: attribution(run.product),
    }
    placed = placement_headers(part_of(run.grid, part.window))
    return {name: printable(value) for name, value in (headers | placed).items() if value}


def file_words(part: Part) -> list[str]:
    """What a file with this part is called by: product, reference time, model, and the minutes of a single frame."""
    run = part.run
    words = [run.product, f"{run.reference_time:%Y%m%dT%H%MZ}", f"{run.model}-{run.version}"]
    if len(part.minutes) == 1:
        (minutes,) = part.minutes
        words.append(f"{minutes:03d}min" if minutes >= 0 else f"{-minutes:03d}min-ago")
    return words if part.window == WHOLE else [*words, "box"]


def age_seconds(run: Run, now: datetime) -> int:
    """How old the newest frame is that a run was made from."""
    return round((now - run.reference_time).total_seconds())


def _about_field(part: Part, earlier: Sequence[Run], threshold: float) -> dict[str, Any]:
    run, lead = part.run, part.minutes[0]
    return {
        "run": run.id,
        "product": run.product,
        "grid": describe_grid(part_of(run.grid, part.window)),
        "reference_time": iso(run.reference_time),
        "lead_minutes": lead,
        "valid_time": iso(run.valid_time(lead)),
        "threshold": threshold,
        "neighbourhood_km": round(2 * half_width_km(lead), 1),
        "method": METHOD,
        "runs": [member.run.id for member in members(run, earlier, lead)],
        "degraded": part.degraded,
        "attribution": attribution(run.product),
    }


def _field_json(sequence: FrameSequence, said: dict[str, Any], encoding: Encoding) -> Content:
    head = json.dumps(said).encode()
    if encoding == "none":
        return [head]
    return [head[:-1], b', "frames": ', *frames_json(sequence.rain_rate, encoding), b"}"]


def _probability(threshold: float) -> Quantity:
    text = f"probability of a rainfall rate of at least {threshold:g} mm/h"
    return Quantity("probability_of_rainfall_rate_above_threshold", (("long_name", text), ("units", "1")))
