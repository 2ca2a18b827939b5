"""What items are called: a table of titles and genres, for showing results."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from src.data.sources.archives import open_unpacked
from src.errors import UserError, shorten

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


class ItemFile(NamedTuple):
    """A file of items, packed as `member` of an archive or by itself."""

    path: Path
    member: str | None = None

    def __str__(self) -> str:
        return f"{self.member} in {self.path}" if self.member else str(self.path)


def read_items(file: ItemFile) -> pd.DataFrame:
    """Read texts `title` and `genres` (separated by |) of each item, by its id as a text.

    movies.dat, movies.csv and u.item as GroupLens publishes them; or a CSV, TSV or Parquet file
    with a header, whose columns are recognized by the usual names. Raises UserError that names the
    file.
    """
    name = file.member or file.path.name
    try:
        if name.endswith("u.item"):
            found = _read_u_item(file)
        elif name.endswith(".dat"):
            found = _read_dat(file)
        else:
            found = _choose_columns(_read_with_header(file, name), file)
    except OSError as error:
        raise UserError(f"{file} can't be read: {error.strerror or error}") from error
    except UserError:
        raise
    except Exception as error:  # pandas' and pyarrow's are of many kinds, for damage here or there
        raise UserError(f"{file} can't be read as a table of items: {shorten(error)}") from error
    found = found.fillna("").astype(str)
    found.index = found.index.astype(str)
    return found[~found.index.duplicated()]


def _read_dat(file: ItemFile) -> pd.DataFrame:
    return _read_text(file, sep="::", names=["item", "title", "genres"], encoding="latin-1")


def _read_u_item(file: ItemFile) -> pd.DataFrame:
    columns = ["item", "title", "released", "video", "url", *U_GENRES]
    read = _read_text(file, sep="|", names=columns, encoding="latin-1")
    flags = (read[U_GENRES] == "1").to_numpy()
    read["genres"] = [
        "|".join(g for g, on in zip(U_GENRES, row, strict=True) if on) for row in flags
    ]
    return read[["title", "genres"]]


def _read_text(file: ItemFile, *, sep: str, names: list[str], encoding: str) -> pd.DataFrame:
    import pandas as pd

    with open_unpacked(file.path, file.member) as opened:
        return pd.read_csv(
            opened, sep=sep, names=names, encoding=encoding, engine="python", dtype=str,
            keep_default_na=False, quoting=3, index_col="item",
        )  # fmt: skip


def _read_with_header(file: ItemFile, name: str) -> pd.DataFrame:
    import pandas as pd

    if name.endswith(".parquet"):
        return pd.read_parquet(file.path)
    separator = "\t" if ".tsv" in name or ".txt" in name else ","
    with open_unpacked(file.path, file.member) as opened:
        return pd.read_csv(opened, sep=separator, dtype=str, keep_default_na=False)


def _choose_columns(table: pd.DataFrame, file: ItemFile) -> pd.DataFrame:
    """Return title and genres of a table with a header, by item."""
    chosen = {
        field: next((name for name in known if name in table), None)
        for field, known in (
            ("item", ITEM_COLUMNS),
            ("title", TITLE_COLUMNS),
            ("genres", GENRE_COLUMNS),
        )
    }
    for field, known in (("item", ITEM_COLUMNS), ("title", TITLE_COLUMNS)):
        if chosen[field] is None:
            shown = shorten(", ".join(map(repr, table.columns)), 80)
            raise UserError(f"{file} has no column {field} ({', '.join(known)}), only {shown}")
    genres = table[chosen["genres"]] if chosen["genres"] else ""
    found = table.assign(item_=table[chosen["item"]].astype(str), genres_=genres)
    found = found.set_index("item_").rename_axis("item")
    return found[[chosen["title"], "genres_"]].set_axis(["title", "genres"], axis=1)
