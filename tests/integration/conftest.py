"""Servers for these tests."""

from serving import rabbitmq, redis_server, redis_url, run, stack

__all__ = ["rabbitmq", "redis_server", "redis_url", "run", "stack"]
