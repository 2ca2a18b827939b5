"""The user's own mistakes, told apart from bugs."""


class UserError(Exception):
    """Something the user can put right: shown as one line on stderr, exit status 2, no traceback.

    The message says what is wrong and what to do about it.
    """
