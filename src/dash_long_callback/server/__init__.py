"""The web side: parse, one call of a manager, answer."""
