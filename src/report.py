"""`python -m src.report`: runs compared on one page, or in a table to be printed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from src import cli
from src.config.quoting import take_list
from src.config.startup import importing

if TYPE_CHECKING:
    from omegaconf import DictConfig


def report(cfg: DictConfig) -> None:
    """Write the page of the chosen runs, or of the latest sweep, or only its table."""
    with importing():
        from src.config.build import check
        from src.config.compose import plain
        from src.reporting.comparison.comparison_page import write_report
        from src.reporting.comparison.report_output import check_output, make_table
        from src.reporting.comparison.run_choice import check_choice, choose_runs
        from src.reporting.comparison.table_formats import print_table, write_table
        from src.reporting.comparison.user_groups import read_user_groups
        from src.run.recovery import recover
        from src.tracking.reading import Reader

    # numbers in names are names
    sweep, experiment = (
        None if value is None else str(value) for value in (cfg.sweep, cfg.tracking.experiment)
    )
    wanted = {"runs": cfg.runs, "sweep": sweep, "experiment": experiment}
    check_choice(wanted)
    options = plain(cfg)
    output, user_groups = check_output(options), read_user_groups(options)
    for _ in recover():
        pass
    reader = Reader(**check(Reader, {"uri": cfg.tracking.uri}, "tracking"))
    title, records = choose_runs(reader, **wanted)
    page, table = output.name_files(title, cli.output_folder())
    if page is None:
        made = make_table(reader, records, title)
        if table is None:
            print_table(made)
        else:
            write_table(table, made)
    else:
        files = write_report(reader, records, title, page, table, user_groups)
        pictures = f"{len(files) - 1} pictures and tables in {page.with_suffix('')}"
        print(f"compared {len(records)} runs: {pictures}")
        print(f"page     {page}", flush=True)
    if table is not None:
        print(f"table    {table}", flush=True)


def _write_for_hydra(word: str) -> str:
    """Return an option as Hydra has to be given it.

    To Hydra A,B is a sweep, and `experiment` chooses a file of options.
    """
    if word.startswith("experiment="):
        return f"tracking.{word}"
    return take_list(word, ("runs", "by"))


def main() -> None:
    """Run `python -m src.report`, also as `ncf-report`."""
    cli.rewrite_words(_write_for_hydra)
    cli.run(report, "report")


if __name__ == "__main__":
    main()
