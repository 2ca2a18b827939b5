"""The user's own mistakes, told apart from bugs, and the statuses that processes end with."""

import difflib
import signal
from collections.abc import Iterable

USER_ERROR = 2
INTERRUPTED = 128 + signal.SIGINT
TERMINATED = 128 + signal.SIGTERM


class UserError(Exception):
    """Something the user can put right: shown as one line on stderr, exit status 2, no traceback.

    The message says what is wrong and what to do about it.
    """

    status = USER_ERROR


class LostProcessError(UserError):
    """One of several processes of a run ended too soon: exit status 1, nothing was mistyped."""

    status = 1


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return the end of a message: "; did you mean X or Y?" if known words are near, else ""."""
    nearest = difflib.get_close_matches(word, list(known), n=3, cutoff=0.6)
    return f"; did you mean {' or '.join(nearest)}?" if nearest else ""
