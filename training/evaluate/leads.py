"""Conversion of a command's longest lead time to timesteps."""

from __future__ import annotations

from radar.errors import InvalidRequest


def steps_to(lead_minutes: int, timestep_minutes: int) -> int:
    """Timesteps to a lead time; raises InvalidRequest unless it is a multiple of the timestep."""
    if lead_minutes < 1 or lead_minutes % timestep_minutes:
        raise InvalidRequest(
            expected=f"a longest lead time that is a multiple of {timestep_minutes} minutes",
            got=f"{lead_minutes} minutes",
            remedy="set such a lead time with --lead-minutes",
        )
    return lead_minutes // timestep_minutes
