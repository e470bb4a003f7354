"""Tests, a folder an area of the code."""
