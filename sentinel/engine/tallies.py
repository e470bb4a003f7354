"""Counts of the time a promise held and did not, by minutes, five minutes and hours back from now.

Three rings of cells, each as long as what is asked of it: minutes for windows of up to an hour, five
minutes for up to three days, hours for up to the window promised. What is added lands in all three,
in the cell of its instant; what is too old for a ring is passed over. A window of n cells is the
present cell and the n before it: never shorter than it says, and longer by less than a cell.
"""

import math
from array import array
from datetime import datetime

from sentinel.monitor.objective import Counted, Objective
from sentinel.words import Seconds

MINUTE, FIVE_MINUTES, HOUR = 60, 300, 3600
_MINUTES_S, _FIVES_S = HOUR, 72 * HOUR


class Ring:
    """Cells of `width_s` seconds, enough for a window of `span_s`."""

    def __init__(self, width_s: int, span_s: float) -> None:
        self._width_s = width_s
        self._size = int(span_s // width_s) + 1
        self._newest = 0
        self._good_s = array("d", bytes(8 * self._size))
        self._bad_s = array("d", bytes(8 * self._size))
        self._bad = array("q", bytes(8 * self._size))

    def advance(self, now_s: int) -> None:
        """Time went on: what is older than the window is gone. Going back does nothing."""
        newest = now_s // self._width_s
        first = max(self._newest + 1, newest - self._size + 1)
        for cell in range(first, newest + 1):
            place = cell % self._size
            self._good_s[place] = self._bad_s[place] = 0.0
            self._bad[place] = 0
        self._newest = max(self._newest, newest)

    def add(self, at_s: int, counted: Counted) -> None:
        """Count something at an instant; too old, it is passed over."""
        cell = at_s // self._width_s
        if cell > self._newest:
            self.advance(at_s)
        if cell > self._newest - self._size:
            place = cell % self._size
            self._good_s[place] += counted.good_s
            self._bad_s[place] += counted.bad_s
            self._bad[place] += counted.bad

    def counted(self, window_s: float) -> Counted:
        """What a window back from the instant last advanced to came to."""
        cells = min(int(window_s // self._width_s) + 1, self._size)
        end = self._newest % self._size + 1
        here, around = slice(max(end - cells, 0), end), max(cells - end, 0)
        there = slice(self._size - around, self._size)
        return Counted(
            math.fsum(self._good_s[here]) + math.fsum(self._good_s[there]),
            math.fsum(self._bad_s[here]) + math.fsum(self._bad_s[there]),
            sum(self._bad[here]) + sum(self._bad[there]),
        )


class Tally:
    """What one objective came to, over any of its windows."""

    def __init__(self, objective: Objective) -> None:
        self._window_s = objective.window_s
        self._minutes = Ring(MINUTE, _MINUTES_S)
        self._fives = Ring(FIVE_MINUTES, _FIVES_S)
        self._hours = Ring(HOUR, objective.window_s)

    def advance(self, now: datetime) -> None:
        for ring in (self._minutes, self._fives, self._hours):
            ring.advance(int(now.timestamp()))

    def add(self, at: datetime, counted: Counted) -> None:
        for ring in (self._minutes, self._fives, self._hours):
            ring.add(int(at.timestamp()), counted)

    def over(self, window_s: Seconds) -> Counted:
        """One of the windows of burn rates, in seconds."""
        return (self._minutes if window_s <= _MINUTES_S else self._fives).counted(window_s)

    def whole(self) -> Counted:
        """The window that is promised."""
        return self._hours.counted(self._window_s)
