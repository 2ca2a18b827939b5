"""The user's own mistakes, told apart from bugs."""

import difflib
from collections.abc import Iterable


class UserError(Exception):
    """Something the user can put right: shown as one line on stderr, exit status 2, no traceback.

    The message says what is wrong and what to do about it.
    """


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """The end of a message: "; did you mean X or Y?" if known words are near, else nothing."""
    nearest = difflib.get_close_matches(word, list(known), n=3, cutoff=0.6)
    return f"; did you mean {' or '.join(nearest)}?" if nearest else ""
