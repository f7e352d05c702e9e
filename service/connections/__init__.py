"""Connections of callers: what they may send and leave unread, and when they end."""
