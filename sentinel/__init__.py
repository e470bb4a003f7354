"""Sentinel: declarative monitoring, incident response and paging for online shops.

The rooms, and who may import whom, are drawn in ``docs/house.md`` and held by
``tests/test_house.py``.
"""

__version__ = "0.1.0"
