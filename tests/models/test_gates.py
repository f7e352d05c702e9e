"""One convolution of several arrays, and zeros that are not worth one."""

from __future__ import annotations

import pytest
import torch

from models.cells.gates import blank, is_blank, same_convolution


def test_parts_are_convolved_as_if_they_were_one_array() -> None:
    torch.manual_seed(0)
    gates = same_convolution(5, 4, 3)
    x, h = torch.randn(2, 2, 6, 7), torch.randn(2, 3, 6, 7)
    torch.testing.assert_close(gates(x, h), gates(torch.cat([x, h], dim=1)), atol=0, rtol=0)


def test_blank_states_change_neither_result_nor_gradient() -> None:
    torch.manual_seed(0)
    gates = same_convolution(5, 4, 3)
    for order in ((0, 1), (1, 0)):
        x = torch.randn(2, 2, 6, 7) if order == (0, 1) else torch.randn(2, 3, 6, 7)
        other = 5 - x.shape[1]
        results = []
        for zeros in (blank(x, 2, other, 6, 7), torch.zeros(2, other, 6, 7)):
            parts = [x, zeros]
            gates.zero_grad()
            output = gates(*(parts[place] for place in order))
            output.square().sum().backward()
            assert gates.weight.grad is not None
            results.append((output.detach(), gates.weight.grad.clone()))
        torch.testing.assert_close(results[0], results[1])


def test_only_what_was_made_blank_is() -> None:
    like = torch.ones(1, 2, 4, 4)
    assert is_blank(blank(like, 1, 2, 4, 4))
    assert not is_blank(torch.zeros(1, 2, 4, 4))
    assert not is_blank(torch.ones(()).expand(1, 2, 4, 4))
    assert not is_blank(blank(like, 1, 2, 4, 4).contiguous())
    with pytest.raises(RuntimeError, match="single memory location"):
        blank(like, 1, 2, 4, 4).add_(1)
