"""What is known of users, in the formats of GroupLens and of people's own tables."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from src.data.sources.side_table import SideTable
from src.data.sources.users import read_users
from src.errors import UserError


def test_users_dat(tmp_path: Path) -> None:
    (tmp_path / "users.dat").write_text("1::F::1::10::48067\n2::M::56::16::70072\n")
    users = read_users(SideTable(tmp_path / "users.dat"))
    assert list(users) == ["gender", "age", "occupation", "zip"]
    assert users.loc["2"].tolist() == ["M", "56", "16", "70072"]


def test_u_user(tmp_path: Path) -> None:
    (tmp_path / "u.user").write_text("1|24|M|technician|85711\n")
    assert read_users(SideTable(tmp_path / "u.user")).loc["1", "occupation"] == "technician"


@pytest.mark.parametrize("name", ["mine.csv", "mine.parquet"])
def test_a_table_of_one_s_own(name: str, tmp_path: Path) -> None:
    table = pd.DataFrame({"plan": ["free", "paid"], "user_id": [7, 8]})
    file = tmp_path / name
    table.to_csv(file, index=False) if name.endswith("csv") else table.to_parquet(file)
    users = read_users(SideTable(file))
    assert users.index.tolist() == ["7", "8"]
    assert users["plan"].tolist() == ["free", "paid"]


def test_a_table_without_users(tmp_path: Path) -> None:
    (tmp_path / "mine.csv").write_text("a,b\n1,2\n")
    with pytest.raises(UserError) as error:
        read_users(SideTable(tmp_path / "mine.csv"))
    names = "user, userId, user_id, userID, reviewerID, id"
    assert str(error.value) == f"{tmp_path}/mine.csv has no column user ({names}), only 'a', 'b'"
