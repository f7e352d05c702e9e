"""The examination of trained weights: export, scores of all forecasters on the test part, report, and gate."""

from __future__ import annotations

import shutil
from dataclasses import asdict
from typing import Any

from models.onnx_forecaster import load_forecaster
from models.recurrent import RecurrentForecaster
from radar.errors import ArtifactRejected
from training.config.config import make_config
from training.evaluate.event_scores import EventScores
from training.evaluate.report.write import write_report
from training.evaluate.table import mean_scores
from training.export.card import Origin, described, owners_of
from training.export.export import export
from training.promote.proved import prove
from training.retrain.gate import Evidence, Rule, Verdict, judge
from training.retrain.plan import RetrainPlan
from training.retrain.run_folder import RunFolder
from training.retrain.trial import in_order_of_time, measure_of, score_test_part, seconds_of_both


def examine(run: RunFolder, plan: RetrainPlan) -> None:
    """Write the export, the report, and then gate.json."""
    checks: dict[str, str | None] = {"parity": None, "golden": None}
    try:
        challenger = _exported(run, plan)
    except ArtifactRejected as error:
        verdict = Verdict((Rule("golden and parity checks", False, str(error)),), {})
        _write(run, verdict, [])
        return
    champion = load_forecaster(plan.champion, "cpu")
    run.log("scores challenger, champion and baselines on the test part")
    data, measure = plan.data_set(), measure_of(plan.config.gate)
    scored = score_test_part(challenger, champion, data, plan.steps, measure, plan.config.test_starts)
    write_report(run.path / "report.html", scored)
    sums, block = in_order_of_time(scored)
    evidence = Evidence(
        sums=sums,
        measure=measure,
        block=block,
        seconds=seconds_of_both(challenger, champion, data, plan.steps, plan.config.gate.latency_ratio),
        checks=checks,
    )
    _write(run, judge(evidence, plan.config.gate), _means(scored))


def _exported(run: RunFolder, plan: RetrainPlan) -> RecurrentForecaster:
    """The challenger, exported with the parity check, and loaded with the golden check."""
    name, target = plan.card.name, run.export / plan.card.name / run.version
    if not target.exists():
        run.log("exports the challenger")
        shutil.rmtree(run.export, ignore_errors=True)  # leftovers of an interrupted attempt
        export(
            run.fit / "model.pt",
            run.export,
            run.version,
            origin=_origin(plan),
            description=_description(plan),
            longest_lead_minutes=plan.longest_lead_minutes,
        )
    return prove(run.export, name, run.version)


def _description(plan: RetrainPlan) -> str:
    """The description in the configuration, or the champion's; not the champion's default one, which names its data."""
    made_up = described(make_config(plan.trained_by), plan.card.data) if plan.trained_by else ""
    inherited = "" if plan.card.description == made_up else plan.card.description
    return str(plan.config.fit.get("description", inherited))


def _origin(plan: RetrainPlan) -> Origin:
    """The lineage: fine-tuned weights have a parent, and the parent's data in addition to the archive's."""
    data = plan.data_set()
    tuned = plan.config.start == "champion"
    return Origin(
        parent=f"{plan.card.name}/{plan.card.version}" if tuned else None,
        data=(
            *(plan.card.data if tuned else ()),
            *owners_of((product, f"{product} on {grid}") for product, grid in data.sources()),
        ),
        data_sha256=data.sha256,
        records=tuple(data.records()),
    )


def _means(scored: list[EventScores]) -> list[dict[str, Any]]:
    return mean_scores([row for one in scored for row in one.rows()])


def _write(run: RunFolder, verdict: Verdict, means: list[dict[str, Any]]) -> None:
    """Write the verdict, with the means over lead times."""
    run.write(
        "gate",
        {
            "passed": verdict.passed,
            "rules": [asdict(rule) for rule in verdict.rules],
            "numbers": dict(verdict.numbers),
            "means": means,
        },
    )
