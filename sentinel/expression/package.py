"""The CEL package without its own command line, which it would import along with itself.

That brings a terminal toolkit, a syntax highlighter and two command line libraries: a third of the
processor time of a node's start, and 9 MB. An empty module stands in its place for as long as
the import lasts; whoever wants the package's command line later gets the real one.
"""

import sys
from types import ModuleType

_COMMAND_LINE = "cel.cli"

_ours = _COMMAND_LINE not in sys.modules
if _ours:
    sys.modules[_COMMAND_LINE] = ModuleType(_COMMAND_LINE)
try:
    import cel
finally:
    if _ours:
        del sys.modules[_COMMAND_LINE]

__all__ = ["cel"]
