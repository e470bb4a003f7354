"""A small real shop to watch: pages, search, basket, checkout, product feed, nightly job.

Its URLs and the marks in its pages are those of django-oscar, so the same workspace watches
either (``docs/explanation/example-shops.md`` has the table). It keeps its state in SQLite, listens
on loopback only, and breaks on request: ``faults``.
"""
