"""All scores against those of pysteps 1.21.5, `scores` 2.7.0 and scikit-image 0.26.0, on the same arrays.

None is installed with this project. The numbers were printed by benchmarks/reference_scores.py, which says how.
"""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import pytest

from radar.scores.fss import fraction_sum, fss
from radar.scores.image_quality import psnr, ssim, ssim_sum
from radar.scores.pixels import contingency, csi, error_sum, ets, far, frequency_bias, hss, mae, pod, rmse
from radar.scores.probability import brier, brier_sum, crps, crps_sum
from radar.scores.spectrum import rapsd, spectrum_sum

PYSTEPS: dict[str, Any] = {
    "csi": 0.3757861635220126,
    "pod": 0.566350710900474,
    "far": 0.47240618101545256,
    "hss": 0.17296650511763237,
    "ets": 0.09467068097116016,
    "frequency_bias": 1.0734597156398105,
    "mae": 0.8846724629402161,
    "rmse": 1.137085268897989,
    "fss": {1: 0.5462857142857143, 2: 0.682439585730725, 5: 0.8211610444545949, 10: 0.9345306148931404},
    "crps": 0.3433655019273687,
    "rapsd": {
        8: [64.03676672857252, 1.3784435349819895, 0.6024715083774791, 0.5206147923388268],
        9: [83.09886573816154, 1.977744944164679, 0.4952861340420395, 0.17295945387397849, 0.5817310403433282],
    },
}
SCORES: dict[str, Any] = {
    "csi": 0.37775647171620325,
    "pod": 0.569364161849711,
    "far": 0.47114093959731546,
    "hss": 0.17000255127328034,
    "ets": 0.09289769851404174,
    "frequency_bias": 1.0765895953757225,
    "mae": 0.8846724629402161,
    "rmse": 1.1370853185653687,
    "fss": {1: 0.5462857142857143, 2: 0.6803308489365569, 5: 0.8182473897671778, 10: 0.931379529871068},
    "crps": 0.34336550245694153,
    "brier": 0.10766992747512229,
}
SKIMAGE = {"ssim": 0.08995720965588284, "psnr": 14.457752615884285}
CATEGORICAL = (csi, pod, far, hss, ets, frequency_bias)
CLOSE = 1e-6


@pytest.fixture(scope="module")
def made() -> dict[str, Any]:
    """The functions that made the arrays of the reference."""
    return runpy.run_path(str(Path(__file__).parents[3] / "benchmarks" / "reference_scores.py"))


@pytest.mark.parametrize("score", CATEGORICAL)
def test_categorical_scores(made: dict[str, Any], score: Any) -> None:
    said, seen = made["fields"]()
    gaps = made["with_gaps"](said, 5), made["with_gaps"](seen, 6)
    assert score(contingency(said, seen, 1.0)) == pytest.approx(PYSTEPS[score.__name__], rel=CLOSE)
    assert score(contingency(*gaps, 1.0)) == pytest.approx(SCORES[score.__name__], rel=CLOSE)


@pytest.mark.parametrize("score", [mae, rmse])
def test_errors(made: dict[str, Any], score: Any) -> None:
    said, seen = made["fields"]()
    errors = error_sum(made["with_gaps"](said, 5), made["with_gaps"](seen, 6))
    assert score(errors) == pytest.approx(PYSTEPS[score.__name__], rel=CLOSE)
    assert score(errors) == pytest.approx(SCORES[score.__name__], rel=CLOSE)


@pytest.mark.parametrize("pixels", [1, 2, 5, 10])
def test_fss(made: dict[str, Any], pixels: int) -> None:
    said, seen = made["fields"]()
    assert fss(fraction_sum(said, seen, 1.0, pixels)) == pytest.approx(PYSTEPS["fss"][pixels], rel=CLOSE)
    margins = made["in_margin"](said), made["in_margin"](seen)
    assert fss(fraction_sum(*margins, 1.0, pixels)) == pytest.approx(SCORES["fss"][pixels], rel=CLOSE)


def test_crps(made: dict[str, Any]) -> None:
    score = crps(crps_sum(made["ensemble"](), made["fields"]()[1]))
    assert score == pytest.approx(PYSTEPS["crps"], rel=CLOSE)
    assert score == pytest.approx(SCORES["crps"], rel=CLOSE)


def test_brier(made: dict[str, Any]) -> None:
    probability = (made["ensemble"]() >= 1.0).mean(axis=0)
    assert brier(brier_sum(probability, made["fields"]()[1], 1.0)) == pytest.approx(SCORES["brier"], rel=CLOSE)


@pytest.mark.parametrize("size", [8, 9])
def test_rapsd(made: dict[str, Any], size: int) -> None:
    field = made["fields"]()[1][:size, :size]
    assert rapsd(spectrum_sum(field)).tolist() == pytest.approx(PYSTEPS["rapsd"][size], rel=CLOSE)


def test_pictures(made: dict[str, Any]) -> None:
    said, seen = (made["as_picture"](field) for field in made["fields"]())
    assert ssim(ssim_sum(said, seen)) == pytest.approx(SKIMAGE["ssim"], rel=CLOSE)
    assert psnr(error_sum(said, seen)) == pytest.approx(SKIMAGE["psnr"], rel=CLOSE)
