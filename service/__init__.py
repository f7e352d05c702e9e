"""The web service. It never imports torch."""
