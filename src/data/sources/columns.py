"""Which column of a table is which: by the options, or by the names that such columns have."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from src.data.sources.text import choose_column
from src.errors import UserError, shorten

AUTO = "auto"
"""Stands for a column that is to be found by its name."""

NEEDED = ("user", "item")

# By field, without case and punctuation (userId, user_id and User ID are one); the first that a
# table has is taken
NAMES: Mapping[str, tuple[str, ...]] = {
    "user": (
        *("user", "userid", "uid", "username", "reviewerid", "customerid", "visitorid"),
        *("memberid", "listenerid", "readerid", "playerid", "customer", "listener", "reviewer"),
    ),
    "item": (
        *("item", "itemid", "iid", "movieid", "parentasin", "asin", "productid", "songid"),
        *(
            "trackid",
            "artistid",
            "bookid",
            "isbn",
            "businessid",
            "placeid",
            "locationid",
            "venueid",
        ),
        *("gameid", "newsid", "articleid", "videoid", "recipeid", "animeid", "movie", "product"),
        *("song", "track", "artist", "book", "film"),
    ),
    "rating": ("rating", "ratings", "stars", "star", "overall", "ratingvalue", "bookrating"),
    "timestamp": (
        *("timestamp", "time", "datetime", "ts", "date", "unixtime", "unixreviewtime"),
        *("eventtime", "createdat", "reviewtime", "ratedat"),
    ),
    "score": ("score", "scores", "prediction", "predicted", "pred", "yhat"),
    "rank": ("rank", "position", "place"),
}


def match_columns(
    wanted: Mapping[str, str | None], present: Sequence[str], table: str, prefix: str
) -> dict[str, str]:
    """Return the column of each field, without the fields that have none.

    wanted: a column's name, AUTO, or None for a field that is left out. `table` and `prefix`, with
    which the options of the columns begin, are for messages. Raises UserError for a column that
    isn't there, and when no column is a user's or an item's by its name.
    """
    given = {field: name for field, name in wanted.items() if name not in (None, AUTO)}
    for field, told in given.items():
        try:
            choose_column(str(told), present, table)
        except UserError as error:
            raise UserError(f"{error}: see {prefix}{field}_column") from error
    free = [name for name in present if name not in given.values()]
    chosen: dict[str, str] = {}
    for field, name in wanted.items():
        among = present if field in NEEDED else free
        found = name if name != AUTO else next(iter(list_alike(field, among)), None)
        if found is not None:
            chosen[field] = found
        elif field in NEEDED:
            shown = shorten(", ".join(map(repr, present)), 120)
            raise UserError(
                f"{table}: which column is the {field}? {prefix}{field}_column=NAME says it, of "
                f"{shown}"
            )
    return chosen


def list_alike(field: str, present: Collection[str]) -> list[str]:
    """List the columns whose names say that they are of this field, the likeliest first."""
    names = NAMES[field]
    alike = [name for name in present if _simplify(name) in names]
    return sorted(alike, key=lambda name: names.index(_simplify(name)))


def _simplify(name: str) -> str:
    return "".join(letter for letter in name.lower() if letter.isalnum())
