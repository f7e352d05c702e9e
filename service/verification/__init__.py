"""Live verification: each run is scored when its time has come (docs/verification.md). Scores are in radar/scores."""
