"""Answers of the service in each media type. Which forecast is meant is decided in service/routes and service/runs."""
