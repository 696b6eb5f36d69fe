"""Jobs that code asks for: an ordinary callback, a script, a scheduler, a shell, a test."""
