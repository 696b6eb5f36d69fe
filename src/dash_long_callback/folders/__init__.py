"""The default folder for jobs: which one a server gets, and how unused ones go."""
