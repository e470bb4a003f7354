"""``python -m django prepare`` and ``python -m django write_feed SECONDS``."""
