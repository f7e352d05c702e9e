"""Connections of callers: limits of sent and unread bytes, and of time. service/http handles the requests."""
