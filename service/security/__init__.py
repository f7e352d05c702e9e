"""Access: keys, quotas, hosts, pages of other sites, and headers for browsers.

Bounds on bytes and time are in service/http and service/connections.
"""
