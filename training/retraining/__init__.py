"""The batch job that makes a challenger from an archive and lets it in only on proof: docs/background/retraining.md."""
