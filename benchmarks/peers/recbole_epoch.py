"""`python recbole_epoch.py TSV BATCH`: seconds of one NeuMF-8 epoch in RecBole 1.2.1.

Runs in RecBole's environment, so it imports nothing of this project.
"""

import json
import logging
import sys
import time
from pathlib import Path

from recbole.config import Config
from recbole.data import create_dataset, data_preparation
from recbole.utils import get_model, get_trainer, init_seed

logging.disable(logging.CRITICAL)


def main(tsv: Path, batch_size: int) -> None:
    folder = tsv.parent / "recbole" / "interactions"
    folder.mkdir(parents=True, exist_ok=True)
    atomic = folder / "interactions.inter"
    atomic.write_text("user_id:token\titem_id:token\n" + tsv.read_text())
    config = Config(
        model="NeuMF",
        dataset="interactions",
        config_dict={
            "data_path": str(folder.parent),
            "load_col": {"inter": ["user_id", "item_id"]},
            "mf_embedding_size": 8,
            "mlp_embedding_size": 32,
            "mlp_hidden_size": [32, 16, 8],
            "dropout_prob": 0.0,
            "train_batch_size": batch_size,
            "train_neg_sample_args": {"distribution": "uniform", "sample_num": 4},
            "eval_args": {"split": {"RS": [0.98, 0.01, 0.01]}, "order": "RO", "mode": "full"},
            "use_gpu": False,
            "show_progress": False,
            "state": "CRITICAL",
            "checkpoint_dir": str(folder),
        },
    )
    init_seed(0, True)
    dataset = create_dataset(config)
    train, _, _ = data_preparation(config, dataset)
    model = get_model("NeuMF")(config, train.dataset)
    trainer = get_trainer(config["MODEL_TYPE"], "NeuMF")(config, model)
    started = time.perf_counter()
    trainer._train_epoch(train, 0)
    took = time.perf_counter() - started
    print(json.dumps({"seconds": took * dataset.inter_num / train.dataset.inter_num}))


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve(), int(sys.argv[2]))
