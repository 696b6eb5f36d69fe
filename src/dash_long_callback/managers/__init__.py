"""Managers: a store and an executor, and the policy between them."""
