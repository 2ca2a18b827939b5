"""`python -m src.export run=RUN format=onnx`: a trained run for other programs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from src import cli
from src.config.startup import importing

if TYPE_CHECKING:
    from omegaconf import DictConfig


def export(cfg: DictConfig) -> None:
    """Write the run in the format that is chosen, and register it if asked to."""
    with importing():
        from src.config.compose import plain
        from src.serving.export_request import check_request, register, write_export
        from src.serving.loading import load_chosen_run

    own = plain(cfg)
    request = check_request(own)
    run = load_chosen_run(str(cfg.run), own["tracking"], own, request.items)
    written = write_export(run, request)
    print(f"written  {written}", flush=True)
    if request.register:
        name, version = register(run, written, own)
        print(f"model    {name}, version {version} in {own['tracking']['uri']}", flush=True)


def main() -> None:
    """Run `python -m src.export`, also as `ncf-export`."""
    cli.run(export, "export")


if __name__ == "__main__":
    main()
