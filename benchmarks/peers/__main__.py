"""`make bench-peers`: an epoch of NeuMF-8 in RecBole and in Cornac, alternating with ours."""

from __future__ import annotations

import json
import subprocess
import tempfile
from datetime import date
from pathlib import Path

from rich.console import Console

from benchmarks.assembled import compose, found_here, make
from benchmarks.commands import REPOSITORY, train
from benchmarks.measure import Measured, alternate
from benchmarks.report import table, write
from benchmarks.rows import Row
from src.config.paths import OUTPUTS
from src.run.provenance import git_commit, machine

DATA = "ncf-ml-1m"
PEERS = {256: ("recbole", "cornac"), 4096: ("recbole",)}


def seconds_of(peer: str, interactions: Path, batch_size: int) -> float:
    """An epoch in the peer's own environment, by its own clock."""
    done = subprocess.run(
        [
            REPOSITORY / f".venv-{peer}" / "bin" / "python",
            REPOSITORY / "benchmarks" / "peers" / f"{peer}_epoch.py",
            interactions,
            str(batch_size),
        ],
        capture_output=True,
        text=True,
        check=False,
        cwd=interactions.parent,
    )
    if done.returncode:
        raise RuntimeError(f"{peer} failed:\n{done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])["seconds"]


def main() -> None:
    """Prints the table, keeps it in outputs/peers.json and writes it to docs/performance.md."""
    rows, data = [], found_here(DATA)
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        part = make(compose(*data), home)[2].prepared.split.train
        file = home / "train.tsv"
        pairs = zip(part.users.tolist(), part.items.tolist(), strict=True)
        file.write_text("".join(f"{user}\t{item}\n" for user, item in pairs))
        for batch_size, peers in PEERS.items():
            options = (*data, f"data.batch_size={batch_size}", "trainer.max_epochs=2")

            def ours(options: tuple[str, ...] = options) -> float:
                run = train(home, *options)
                return run.epochs["train/seconds"].mean()

            measured: Measured = alternate(
                2,
                ours,
                **{
                    peer: lambda peer=peer, size=batch_size: seconds_of(peer, file, size)
                    for peer in peers
                },
            )
            rows.append(Row(f"training epoch at batch {batch_size:,}", None, "s", measured))
    Console().print(table(rows))
    write(rows, "peers", f"on {date.today().isoformat()} at commit {git_commit()[:7]}")
    found = {row.what: {**row.measured.others, "here": row.measured.ours} for row in rows}
    (OUTPUTS / "peers.json").write_text(
        json.dumps({"commit": git_commit(), "machine": machine(), **found}, indent=2)
    )


if __name__ == "__main__":
    main()
