"""Middleware for every request and answer: limits of bodies, compression, ranges, errors, shutdown.

Routes are in service/routes, access in service/security.
"""
