"""Processes that do the sending, so that what hangs can be killed."""
