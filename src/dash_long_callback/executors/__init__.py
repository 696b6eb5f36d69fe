"""Executors start and terminate jobs."""
