"""Whether code can be compiled here."""

from __future__ import annotations

import sys
from functools import cache


@cache
def is_available() -> bool:
    """Tell whether numba is here and compiles; say so once where it doesn't."""
    try:
        from src.kernels.entry import Entry

        assert Entry("src.kernels.doubling.double")(1) == 2
    except Exception as error:  # whatever keeps numba or LLVM from working here
        reason = str(error).strip().splitlines() or [type(error).__name__]
        print(
            f"numba can't compile here ({reason[0]}): torch does its work, which is slower",
            file=sys.stderr,
        )
        return False
    return True
