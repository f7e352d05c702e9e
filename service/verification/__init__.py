"""Live verification: each run is scored when its time has come. The scores themselves are in radar/scores."""
