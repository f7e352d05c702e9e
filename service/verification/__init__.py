"""How good the service's forecasts are: every run is scored when its time has come (docs/reference/verification.md)."""
