"""Benchmarks: what the package promises on speed and size, measured. See ``__main__.py``."""
