"""The user's own mistakes, told apart from bugs, and the statuses that processes end with."""

import difflib
import signal
from collections.abc import Iterable

USER_ERROR = 2
INTERRUPTED = 128 + signal.SIGINT
TERMINATED = 128 + signal.SIGTERM

LONGEST_LINE = 300
"""Characters of the line that a user sees."""
LONGEST_VALUE = 60
CUT = " ... "


class UserError(Exception):
    """Something the user can put right: shown as one line on stderr, exit status 2, no traceback.

    The message says what is wrong and what to do about it.
    """

    status = USER_ERROR


class LostProcessError(UserError):
    """One of several processes of a run ended too soon: exit status 1, nothing was mistyped."""

    status = 1


class DivergedError(UserError):
    """Training, or a fit, came to what is no number: exit status 1, nothing was mistyped."""

    status = 1


def did_you_mean(word: object, known: Iterable[str]) -> str:
    """Return the end of a message: "; did you mean X or Y?" if known words are near, else ""."""
    nearest = difflib.get_close_matches(str(word), list(known), n=3, cutoff=0.6)
    return f"; did you mean {' or '.join(nearest)}?" if nearest else ""


def shorten(value: object, longest: int = LONGEST_VALUE) -> str:
    """Return a value as one line of text that is not too long: its beginning, and its end.

    Characters that a terminal would obey are written out.
    """
    line = " ".join(str(value).split())
    text = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in line)
    if len(text) <= longest:
        return text
    tail = (longest - len(CUT)) // 3
    return f"{text[: longest - len(CUT) - tail].rstrip()}{CUT}{text[-tail:].lstrip()}"
