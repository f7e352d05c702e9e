"""Connections of callers: what each may send and leave unread, and when it ends. Requests begin in service/http."""
