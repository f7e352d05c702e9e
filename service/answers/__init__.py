"""Answers of the service in each media type. service/routes and service/runs choose the forecast of an answer."""
