"""`python cornac_epoch.py TSV BATCH`: seconds of one NeuMF-8 epoch in Cornac 3.0.1.

Runs in Cornac's environment, so it imports nothing of this project.
"""

import json
import sys
import time
from pathlib import Path

from cornac.data import Dataset
from cornac.models import NeuMF


def main(tsv: Path, batch_size: int) -> None:
    lines = (line.split("\t") for line in tsv.read_text().splitlines())
    train = Dataset.from_uir([(user, item, 1.0) for user, item in lines])
    model = NeuMF(
        num_factors=8,
        layers=(64, 32, 16, 8),
        act_fn="relu",
        learner="adam",
        backend="pytorch",
        num_epochs=1,
        batch_size=batch_size,
        num_neg=4,
        lr=0.001,
        seed=0,
        verbose=False,
    )
    started = time.perf_counter()
    model.fit(train)
    print(json.dumps({"seconds": time.perf_counter() - started}))


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve(), int(sys.argv[2]))
