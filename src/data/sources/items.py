"""What items are called: a table of titles and genres, for showing results."""

from __future__ import annotations

from typing import TYPE_CHECKING

from src.data.sources.side_table import (
    SideTable,
    find_column,
    read_side_table,
    read_text,
    read_with_header,
)

if TYPE_CHECKING:
    import pandas as pd

# Names that tables of items use
ITEM_COLUMNS = ("item", "movieId", "item_id", "itemId", "id", "asin", "parent_asin")
TITLE_COLUMNS = ("title", "name", "item_name")
GENRE_COLUMNS = ("genres", "genre", "category", "categories", "tags")
# Of ml-100k's u.item, whose last columns are 0 or 1 for each of these (u.genre)
U_GENRES = [
    *("unknown", "Action", "Adventure", "Animation", "Children's", "Comedy", "Crime"),
    *("Documentary", "Drama", "Fantasy", "Film-Noir", "Horror", "Musical", "Mystery", "Romance"),
    *("Sci-Fi", "Thriller", "War", "Western"),
]


def read_items(file: SideTable) -> pd.DataFrame:
    """Read texts `title` and `genres` (separated by |) of each item, by its id as a text.

    movies.dat, movies.csv and u.item as GroupLens publishes them; or a CSV, TSV or Parquet file
    with a header, whose columns are recognized by the usual names. Raises UserError that names the
    file.
    """
    return read_side_table(file, "items", _read)


def _read(file: SideTable) -> pd.DataFrame:
    if file.name.endswith("u.item"):
        return _read_u_item(file)
    if file.name.endswith(".dat"):
        return read_text(file, "::", ["item", "title", "genres"])
    return _choose_columns(read_with_header(file), file)


def _read_u_item(file: SideTable) -> pd.DataFrame:
    read = read_text(file, "|", ["item", "title", "released", "video", "url", *U_GENRES])
    flags = (read[U_GENRES] == "1").to_numpy()
    read["genres"] = [
        "|".join(g for g, on in zip(U_GENRES, row, strict=True) if on) for row in flags
    ]
    return read[["title", "genres"]]


def _choose_columns(table: pd.DataFrame, file: SideTable) -> pd.DataFrame:
    """Return title and genres of a table with a header, by item."""
    item = find_column(table, file, "item", ITEM_COLUMNS)
    title = find_column(table, file, "title", TITLE_COLUMNS)
    genre = next((name for name in GENRE_COLUMNS if name in table), None)
    found = table.assign(item_=table[item].astype(str), genres_=table[genre] if genre else "")
    found = found.set_index("item_").rename_axis("item")
    return found[[title, "genres_"]].set_axis(["title", "genres"], axis=1)
