"""The distribution of a run: log-odds of thresholds for each lead time. Its arithmetic is in models/exceedance."""
