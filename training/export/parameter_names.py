"""Names of parameters without what wrappers put between their parts: DistributedDataParallel, torch.compile, FSDP."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

T = TypeVar("T")

_WRAPPERS = frozenset({"module", "_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module"})


def bare_name(name: str) -> str:
    """`stack.cells.0.weight` of `module._orig_mod.stack.cells.0._orig_mod.weight`."""
    return ".".join(part for part in name.split(".") if part not in _WRAPPERS)


def without_wrappers(parameters: Mapping[str, T]) -> dict[str, T]:
    """The same under their bare names.

    Raises
    ------
    ValueError
        Two have one bare name, as where a wrapped and a plain network were saved together.
    """
    bare: dict[str, T] = {}
    for name, value in parameters.items():
        if bare_name(name) in bare:
            raise ValueError(
                f"expected each parameter once, got {bare_name(name)} twice, once as {name}; save one network alone"
            )
        bare[bare_name(name)] = value
    return bare
