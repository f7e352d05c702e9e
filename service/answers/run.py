"""Runs in each media type: the index, the frames, and fields of probabilities."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from models.exceedance.odds import Statistic
from radar.files.netcdf.writer import Quantity
from radar.grid import Grid
from radar.products import attribution
from radar.sequence import Float32, FrameSequence, iso
from service.answers.arrays import json_of
from service.answers.field import Colours, Encoding, Field
from service.answers.headers import Provenance
from service.answers.large import Content
from service.answers.nowcast import Nowcast
from service.answers.placement import describe_grid
from service.answers.run_schema import RunAnswer, RunFrameAnswer
from service.answers.schema import FieldAnswer
from service.answers.statistics import word_of
from service.answers.writers import Writer
from service.runs.odds.offered import offered_by
from service.runs.probability import members, method_of, neighbourhood_km, probabilities
from service.runs.reader import THRESHOLDS, WHOLE, RunReader, Window
from service.runs.region import part_of
from service.runs.run import Run

PROBABILITY_COLOURS: Colours = (
    (0.05, "#e6e6ff"),
    (0.1, "#ccccff"),
    (0.2, "#b399ff"),
    (0.3, "#9966ff"),
    (0.4, "#8040e6"),
    (0.5, "#6619cc"),
    (0.6, "#800099"),
    (0.7, "#990066"),
    (0.8, "#b30033"),
    (0.9, "#cc0000"),
)


@dataclass(frozen=True)
class Part:
    """A part of a run: some of its frames, and a window of them.

    `statistic` is that of rates; None for an observed frame and for probabilities.
    """

    run: Run
    minutes: tuple[int, ...]
    window: Window
    degraded: str | None
    statistic: Statistic | None = None

    def sequence(self, values: Float32) -> FrameSequence:
        """Fields of this part, with their times and place."""
        run = self.run
        return FrameSequence(
            rain_rate=values,
            valid_times=tuple(run.valid_time(minutes) for minutes in self.minutes),
            grid=self.grid,
            timestep_minutes=run.timestep_minutes,
            product=run.product,
            reference_time=run.reference_time,
        )

    @property
    def grid(self) -> Grid:
        """The grid of the window."""
        return part_of(self.run.grid, self.window)

    @property
    def provenance(self) -> Provenance:
        """The part's origin, for headers."""
        run = self.run
        return Provenance(
            model=run.model,
            version=run.version,
            method=run.method,
            statistic=self.statistic,
            run_id=run.id,
            product=run.product,
            grid=self.grid,
            reference_time=run.reference_time,
            lead_minutes=self.minutes,
            degraded=self.degraded,
            attribution=attribution(run.product),
        )


def run_url(run: Run, root_path: str) -> str:
    """The permanent path of a run's index, below the path at which callers reach the service."""
    return f"{root_path}/nowcast/{run.id}"


def index_json(part: Part, root_path: str = "") -> Content:
    """The run's index, see RunAnswer."""
    run, url = part.run, run_url(part.run, root_path)
    statistic = part.statistic or "matched"
    chosen = "" if statistic == "matched" else f"?statistic={statistic}"

    def frame(minutes: int) -> RunFrameAnswer:
        return RunFrameAnswer(
            lead_minutes=minutes,
            valid_time=iso(run.valid_time(minutes)),
            url=f"{url}/frames/{minutes}{chosen if minutes > 0 else ''}",
            probability_url=f"{url}/probability/{minutes}?threshold=1" if minutes > 0 else None,
        )

    answer = RunAnswer(
        run=run.id,
        url=url,
        product=run.product,
        grid=describe_grid(run.grid),
        reference_time=iso(run.reference_time),
        timestep_minutes=run.timestep_minutes,
        made_at=iso(run.made_at),
        model=run.model,
        version=run.version,
        method=run.method,
        statistic=statistic,
        statistics=list(offered_by(run)),
        probability_method=method_of(run),
        history_times=[iso(time) for time in run.history_times],
        degraded=part.degraded,
        attribution=attribution(run.product),
        thresholds=list(THRESHOLDS),
        observed=[frame(minutes) for minutes in run.observed_minutes],
        forecast=[frame(minutes) for minutes in part.minutes],
    )
    return [json_of(answer).encode()]


def frames_content(reader: RunReader, part: Part, writer: Writer, encoding: Encoding) -> Content:
    """Frames of a run, in mm/h; images show the last one."""
    run = part.run
    nowcast = Nowcast(
        forecast=part.sequence(reader.statistic(run, part.minutes, part.statistic or "matched", part.window)),
        model=run.model,
        version=run.version,
        history_times=run.history_times,
        made_at=run.made_at,
        attribution=attribution(run.product),
        degraded=part.degraded,
        method=run.method,
        statistic=part.statistic,
        run_id=run.id,
    )
    return writer.write(nowcast.field(encoding))


def probability_content(
    reader: RunReader, part: Part, earlier: Sequence[Run], threshold: float, writer: Writer, encoding: Encoding
) -> Content:
    """The probability, 0 to 1, of a rate at or above `threshold` (mm/h) at the part's one lead time."""
    (lead,) = part.minutes
    (values,) = probabilities(reader, part.run, earlier, lead, [threshold], part.window)
    answer = _answer(part, earlier, threshold)
    field = Field(
        frames=part.sequence(values[None]),
        answer=lambda: answer,
        attributes=_attributes(part, answer),
        attribution=answer.attribution,
        encoding=encoding,
        in_parts=True,
        title=f"probability of at least {threshold:g} mm/h",
        colours=PROBABILITY_COLOURS,
        quantity=_quantity(threshold),
    )
    return writer.write(field)


def _answer(part: Part, earlier: Sequence[Run], threshold: float) -> FieldAnswer:
    run, lead = part.run, part.minutes[0]
    return FieldAnswer(
        run=run.id,
        product=run.product,
        grid=describe_grid(part.grid),
        reference_time=iso(run.reference_time),
        lead_minutes=lead,
        valid_time=iso(run.valid_time(lead)),
        threshold=threshold,
        neighbourhood_km=neighbourhood_km(run, lead),
        method=method_of(run),
        runs=[member.run.id for member in members(run, earlier, lead)],
        degraded=part.degraded,
        attribution=attribution(run.product),
    )


def _attributes(part: Part, answer: FieldAnswer) -> dict[str, str]:
    """The attributes of NetCDF, in the order of the file."""
    named = {
        "run": answer.run,
        "method": answer.method,
        "degraded": answer.degraded,
        "attribution": answer.attribution,
    }
    return {name: text for name, text in named.items() if text} | {
        "runs": " ".join(answer.runs),
        "source": f"Raincell: {part.run.model} {part.run.version}, {answer.method}",
        "history": f"{iso(part.run.made_at)} run made by Raincell",
    }


def _quantity(threshold: float) -> Quantity:
    text = f"probability of a rainfall rate of at least {threshold:g} mm/h"
    return Quantity("probability_of_rainfall_rate_above_threshold", (("long_name", text), ("units", "1")))


def file_words(part: Part) -> list[str]:
    """The words of a part's file name: product, reference time, model, minutes of a single frame, and statistic."""
    run = part.run
    words = [run.product, f"{run.reference_time:%Y%m%dT%H%MZ}", f"{run.model}-{run.version}"]
    if len(part.minutes) == 1:
        (minutes,) = part.minutes
        words.append(f"{minutes:03d}min" if minutes >= 0 else f"{-minutes:03d}min-ago")
    return [*words, word_of(part.statistic), "" if part.window == WHOLE else "box"]
