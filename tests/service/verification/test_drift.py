"""When the loss of skill is an alert."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from radar.ledger.ledger import PERSISTENCE
from radar.scores.sums import ScoreSums, sums_of
from service.verification.drift import DriftLimits, csi_skill, judge, mae_skill
from service.verification.totals import Row, Total, Totals

MODEL = "still/1"
START = datetime(2017, 8, 16, tzinfo=UTC)
LIMITS = DriftLimits(skill=0.1, hours=3, lead_minutes=60)


def sums(hits: int, misses: int) -> ScoreSums:
    """Pixels with rain of 2 mm/h, some of which were forecast."""
    observed = np.full((1, hits + misses), 2, np.float32)
    forecast = np.where(np.arange(hits + misses) < hits, observed, 0).astype(np.float32)
    return sums_of(forecast, observed, 1.0)


GOOD = Total(sums(150, 50), sums(100, 100))  # CSI 0.75 against 0.5
BAD = Total(sums(100, 100), sums(100, 100))
DRY = Total(sums(40, 0), sums(0, 40))  # too few pixels to say anything


def hours(*totals: Total, lead: int = 60) -> dict[datetime, Totals]:
    return {START + timedelta(hours=k): {Row(MODEL, lead): total} for k, total in enumerate(totals)}


def test_hand_worked_skill() -> None:
    assert csi_skill(GOOD, 1.0) == (0.75 - 0.5) / (1 - 0.5)
    assert mae_skill(GOOD) == 1 - (50 * 2 / 200) / (100 * 2 / 200)
    assert csi_skill(BAD, 1.0) == 0
    perfect = Total(sums(10, 0), sums(10, 0))
    assert np.isnan(csi_skill(perfect, 1.0))  # persistence leaves nothing to win
    assert np.isnan(mae_skill(perfect))
    assert np.isnan(csi_skill(Total(ScoreSums(), ScoreSums()), 1.0))


@pytest.mark.parametrize(
    ("totals", "since", "drifting"),
    [
        ((GOOD, GOOD, GOOD, GOOD), None, False),
        ((GOOD, BAD, BAD), 1, False),
        ((GOOD, BAD, BAD, BAD), 1, True),
        ((BAD, BAD, BAD, GOOD), None, False),
        ((BAD, GOOD, BAD, BAD), 2, False),
        ((GOOD, BAD, DRY, BAD), 1, True),  # a dry hour is no proof of anything
        ((GOOD, BAD, BAD, DRY), 1, False),
        ((DRY, DRY, DRY, DRY), None, False),
        ((), None, False),
    ],
)
def test_every_hour_that_says_something_must_have_been_bad(
    totals: tuple[Total, ...], since: int | None, drifting: bool
) -> None:
    found = judge(hours(*totals), MODEL, LIMITS)
    assert found.drifting is drifting
    assert found.since == (None if since is None else START + timedelta(hours=since))


def test_the_nearest_lead_time_below_is_judged() -> None:
    assert judge(hours(BAD, lead=30), MODEL, LIMITS).lead_minutes == 30
    assert judge(hours(BAD, lead=90), MODEL, LIMITS).lead_minutes is None
    assert judge(hours(BAD), PERSISTENCE, LIMITS).skill is None
