"""`python -m src.convert keras=FILE.h5`: weights of the paper's released code as a run of ours."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from src import cli
from src.config.quoting import take_text
from src.config.startup import importing

if TYPE_CHECKING:
    from omegaconf import DictConfig

# Options that name files, as the released code does: ml-1m_MLP_[64,32,16,8]_1501652038.h5
FILES = ("keras", "out")


def convert(cfg: DictConfig) -> None:
    """Write the checkpoint that Keras' weights make, with the options of its run beside it."""
    with importing():
        from src.run.converting import check_fit, choose_place, compose_options, write_converted
        from src.run.keras_model import read_keras_model

    keras = Path(str(cfg.keras)).expanduser()
    place = choose_place(cfg.out, keras)
    model = read_keras_model(keras)
    options = compose_options(model)
    check_fit(model, options, keras)
    written = write_converted(model, options, place, keras)
    shape = ", ".join(f"{name} {value}" for name, value in model.options.items())
    print(f"model    {options.title}: {shape}")
    print(f"written  {written}", flush=True)


def main() -> None:
    """Run `python -m src.convert`, also as `ncf-convert`."""
    cli.rewrite_words(lambda word: take_text(word, FILES))
    cli.run(convert, "convert")


if __name__ == "__main__":
    main()
