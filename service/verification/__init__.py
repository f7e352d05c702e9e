"""Live verification: each run is scored once its frames are observed. The scores themselves are in radar/scores."""
