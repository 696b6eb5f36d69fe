"""Stores keep jobs, their updates and their outcomes."""
