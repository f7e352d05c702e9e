"""The consequences of a verdict: a version in the repository with its role, and the decision that ends the run."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from models.aliases import read_aliases
from models.repository import read_manifest, write_json
from radar.sequence import iso
from training.promote.decisions import record_decision
from training.retrain.config import RetrainConfig
from training.retrain.gate import CHALLENGER, CHAMPION
from training.retrain.repository_change import give_role, prune_versions, publish
from training.retrain.run_folder import RunFolder


@dataclass(frozen=True)
class Outcome:
    """The outcome of a run: "promoted", "challenger" or "kept" (the champion), with its decision.json and gate.json."""

    decision: str
    run: Path
    content: dict[str, Any]
    gate: dict[str, Any]


def conclude(run: RunFolder, repository: Path, config: RetrainConfig, now: datetime) -> Outcome:
    """Carry out the verdict of gate.json and write decision.json; it can be repeated after an interruption."""
    gate = run.read("gate")
    assert gate is not None  # noqa: S101
    other = _other_champion(run, repository)
    decision = _decided(gate, config, other)
    content = _content(run, gate, decision, now)
    if other is not None and decision != "kept":
        content["reasons"].append(f"the champion is {other} by now, with which it was not compared")
    if decision != "kept":
        _let_in(run, repository, config, content, gate, now)
    removed = prune_versions(repository, content["model"], config.keep_versions)
    record_decision(repository, content["model"], {"by": "retrain", "id": run.version, **content})
    run.write("decision", content | {"removed_versions": removed})
    run.log(f"{decision}: {'; '.join(content['reasons'])}")
    return Outcome(decision, run.path, content, gate)


def _other_champion(run: RunFolder, repository: Path) -> str | None:
    """The champion, if another one was promoted during the run."""
    champion = read_aliases(repository, run.about["model"]).champion
    return None if champion in (run.about["parent"], run.version) else champion


def _decided(gate: dict[str, Any], config: RetrainConfig, other: str | None) -> str:
    """The decision; a version that was not compared with the current champion can at most become a challenger."""
    if not gate["passed"]:
        return "kept"
    return "promoted" if config.accept == "promote" and other is None else "challenger"


def _content(run: RunFolder, gate: dict[str, Any], decision: str, now: datetime) -> dict[str, Any]:
    about = run.about
    rules = [rule for rule in gate["rules"] if not rule["holds"]] if decision == "kept" else gate["rules"]
    return {
        "decision": decision,
        "model": about["model"],
        "version": run.version,
        "parent": about["parent"],
        "made": iso(now),
        "reasons": [f"{rule['name']}: {rule['says']}" for rule in rules],
    }


def _let_in(
    run: RunFolder,
    repository: Path,
    config: RetrainConfig,
    content: dict[str, Any],
    gate: dict[str, Any],
    now: datetime,
) -> None:
    """Write the version's manifest, then its folder, then its role, so that the repository is valid at every moment."""
    name = content["model"]
    manifest = read_manifest(run.export, name, run.version)
    entry = {**content, "run": run.version, "rules": gate["rules"], "numbers": gate["numbers"]}
    write_json(
        run.export / name / run.version / "manifest.json", manifest | {"gate": entry, "scores": _scores(gate, content)}
    )
    publish(run.export / name / run.version, repository, name)
    probation = timedelta(hours=config.probation_hours)
    give_role(repository, name, run.version, at_once=content["decision"] == "promoted", now=now, probation=probation)


def _scores(gate: dict[str, Any], content: dict[str, Any]) -> list[dict[str, Any]]:
    """Means over lead times, models by their references."""
    name = content["model"]
    references = {CHALLENGER: f"{name}/{content['version']}", CHAMPION: f"{name}/{content['parent']}"}
    return [row | {"model": references.get(row["model"], row["model"])} for row in gate["means"]]
