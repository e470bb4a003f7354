"""Fuzzing of every parser by hand, with atheris; no test, and not collected as one."""
