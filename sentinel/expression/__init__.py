"""The one expression language: CEL, behind this module alone.

An expression is compiled once, at load, and reads only names that its kind declares. The
package knows no types and checks no names, so a small lexer of ours reads the dotted names,
what is called and how deep comprehensions nest; whatever could only fail later, or could run
for long, is refused at load, because nothing can stop an evaluation once it runs.

What users of CEL should know (measured on common-expression-language 0.10):

- Comparisons mix numbers (``timing.total_s < 2`` holds for a double), arithmetic does not
  (CEL has no such overload): a declared double with an int is refused here with the mend.
- ``size()`` of a text counts bytes of UTF-8; ``getHours()`` and its kin are UTC.
- ``||`` and ``&&`` swallow an error on one side when the other side decides.
- Severity words are the constants ``critical`` 4, ``error`` 3, ``warning`` 2, ``info`` 1.

Functions that a kind brings are called as methods, ``html.attr("a.next", "href")``, where what
stands before the dot is their first argument, or plainly. They give JSON-able values, None for
"nothing there", and should not raise: an exception in one is ``field_type``.
"""

from sentinel.expression.compiled import (
    Expression,
    Functions,
    compile_expression,
    default_reason,
)
from sentinel.expression.reading import CONSTANTS, Declaration, Type

__all__ = [
    "CONSTANTS",
    "Declaration",
    "Expression",
    "Functions",
    "Type",
    "compile_expression",
    "default_reason",
]
