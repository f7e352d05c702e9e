"""Local attention by blocks, strips and densely, against one pixel after the other."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
import torch
from torch import Tensor

from models.cells.attention_rows import by_rows
from models.cells.local_attention import LocalAttention, by_strips, dense, local_attention
from tests.reference.operators import looped_attention

EXACT = 1e-10
Attention = Callable[[Tensor, Tensor, Tensor, int], Tensor]

FORMS: dict[str, Attention] = {
    "dense": dense,
    "by_rows": by_rows,
    "one strip": lambda q, k, v, window: by_strips(q, k, v, window, 1),
    "three strips": lambda q, k, v, window: by_strips(q, k, v, window, 3),
    "chosen": local_attention,
}
GRIDS = [(1, 1), (1, 9), (5, 7), (12, 8), (17, 23)]
WINDOWS = [1, 2, 3, 5, 6, 7, 30]


def arrays(size: tuple[int, int], batch: int = 1, channels: int = 3, scale: float = 1.0) -> list[Tensor]:
    generator = torch.Generator().manual_seed(sum(size) + batch)
    shape = (batch, channels, *size)
    return [scale * torch.randn(shape, generator=generator, dtype=torch.float64) for _ in range(3)]


@cache
def looped(size: tuple[int, int], window: int) -> Tensor:
    """Pixel by pixel, which takes long: once for all forms."""
    q, k, v = arrays(size, batch=2)
    return looped_attention(q, k, v, window)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("size", GRIDS)
@pytest.mark.parametrize("window", WINDOWS)
def test_every_form_is_exact(form: str, size: tuple[int, int], window: int) -> None:
    q, k, v = arrays(size, batch=2)
    torch.testing.assert_close(FORMS[form](q, k, v, window), looped(size, window), rtol=0, atol=EXACT)


def gradients(attention: Attention, size: tuple[int, int], window: int) -> list[Tensor]:
    q, k, v = inputs = [array.requires_grad_() for array in arrays(size, batch=2)]
    weight = torch.randn(inputs[0].shape, generator=torch.Generator().manual_seed(9), dtype=torch.float64)
    (attention(q, k, v, window) * weight).sum().backward()  # type: ignore[no-untyped-call]
    return [array.grad for array in inputs if array.grad is not None]


@cache
def looped_gradients(size: tuple[int, int], window: int) -> list[Tensor]:
    return gradients(looped_attention, size, window)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(("size", "window"), [((1, 1), 3), ((5, 7), 4), ((9, 6), 3), ((4, 4), 30), ((7, 11), 6)])
def test_gradients_are_exact(form: str, size: tuple[int, int], window: int) -> None:
    ours = gradients(FORMS[form], size, window)
    assert len(ours) == 3
    for gradient, expected in zip(ours, looped_gradients(size, window), strict=True):
        torch.testing.assert_close(gradient, expected, rtol=0, atol=EXACT)


@pytest.mark.parametrize("form", FORMS)
def test_large_scores_do_not_overflow(form: str) -> None:
    q, k, v = arrays((9, 8), scale=100.0)
    answer = FORMS[form](q.float(), k.float(), v.float(), 4)
    assert answer.isfinite().all()
    torch.testing.assert_close(answer.double(), looped_attention(q, k, v, 4), rtol=1e-3, atol=1e-2)


def test_what_lies_outside_takes_part_with_score_and_value_zero() -> None:
    # one pixel, window 2: three of four positions lie outside; scores ln 3 and three zeros give shares 1/2 and 1/2
    q, k, v = (torch.full((1, 1, 1, 1), x, dtype=torch.float64) for x in (1.0, float(torch.tensor(3.0).log()), 8.0))
    for form in FORMS.values():
        assert form(q, k, v, 2).item() == pytest.approx(4.0, abs=1e-6)


@pytest.mark.parametrize("size", [(6, 6), (40, 41), (64, 50)])
def test_the_layer_is_its_three_projections_and_the_attention(size: tuple[int, int]) -> None:
    layer = LocalAttention(4, 5).double()
    x = arrays(size, channels=4)[0]
    q, k, v = (torch.nn.functional.conv2d(x, weight) for weight in layer.projections.weight.chunk(3))
    torch.testing.assert_close(layer(x), looped_attention(q, k, v, 5), rtol=0, atol=EXACT)


@pytest.mark.slow
def test_it_is_small_and_fast() -> None:
    root = Path(__file__).parents[2]
    command = [sys.executable, "-m", "benchmarks.attention", "--limits"]
    answer = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stdout + answer.stderr
