"""The images, as far as their Dockerfiles tell."""

from __future__ import annotations

import re
import subprocess
import sysconfig
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCKERFILES = sorted((ROOT / "docker").glob("*.Dockerfile"))


def test_there_is_one_for_each_image() -> None:
    assert [path.name for path in DOCKERFILES] == [
        *("service-gpu.Dockerfile", "service.Dockerfile", "training.Dockerfile"),
    ]


@pytest.mark.parametrize("dockerfile", DOCKERFILES, ids=lambda path: path.name)
def test_hadolint_finds_nothing(dockerfile: Path) -> None:
    hadolint = Path(sysconfig.get_path("scripts")) / "hadolint"
    answer = subprocess.run([hadolint, str(dockerfile)], capture_output=True, text=True, check=False, timeout=60)
    assert answer.returncode == 0, answer.stdout + answer.stderr


@pytest.mark.parametrize("dockerfile", DOCKERFILES, ids=lambda path: path.name)
def test_multi_stage_pinned_not_root_and_labelled(dockerfile: Path) -> None:
    text = dockerfile.read_text()
    assert not text.startswith("# syntax=")
    assert len(re.findall("^FROM ", text, re.MULTILINE)) == 2
    assert "--constraint constraints.txt" in text
    last = text.rpartition("\nFROM ")[2]
    assert "\nUSER 10001\n" in last
    for label in ("title", "description", "licenses", "version", "revision"):
        assert f"org.opencontainers.image.{label}=" in last
    assert "HEALTHCHECK" in last


def test_both_service_images_differ_in_what_computes_only() -> None:
    cpu, gpu = ((ROOT / "docker" / f"{name}.Dockerfile").read_text() for name in ("service", "service-gpu"))
    assert "'.[cpu]'" in cpu
    assert "'.[gpu]'" in gpu
    assert "RAINCELL_PROVIDER=cuda" in gpu
    kept = [line for line in gpu.splitlines() if line in cpu.splitlines()]
    assert len(kept) > 0.75 * len(cpu.splitlines())


def test_an_image_without_a_digest_has_its_reason_beside_it() -> None:
    files = [ROOT / "docker-compose.yml", *sorted((ROOT / "docker" / "kubernetes").glob("*.yaml")), *DOCKERFILES]
    named = re.compile(r"^\s*(?:image: (?!\$)|FROM )(\S+)")
    seen = 0
    for path in files:
        lines, done = path.read_text().splitlines(), set[str]()
        for number, line in enumerate(lines):
            image = named.match(line)
            if image is None or image[1] in done:
                continue
            done.add(image[1])
            seen += 1
            assert "@sha256:" in image[1] or "No digest" in lines[number - 1], f"{path.name}: {image[1]}"
    assert seen >= 10


@pytest.mark.parametrize("dockerfile", DOCKERFILES, ids=lambda path: path.name)
def test_packages_without_hashes_have_their_reason_beside_them(dockerfile: Path) -> None:
    text = dockerfile.read_text()
    assert "--require-hashes" in text or "# Versions, not hashes" in text.partition("pip install")[0]
