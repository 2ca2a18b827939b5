"""What training takes from the socket, as codecarbon measures or estimates it, without network."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any

from src.errors import UserError

METRIC = "fit/energy_wh"
# Of the grid only emissions depend, which are not recorded
ANY_COUNTRY = "USA"


def check_energy(tracking: Mapping[str, Any]) -> None:
    """Raise UserError when energy is asked for that can't be measured."""
    wanted = tracking.get("energy", False)
    if not isinstance(wanted, bool):
        raise UserError(f"tracking.energy={wanted}: true or false is needed here")
    if wanted and find_spec("codecarbon") is None:
        raise UserError("tracking.energy=true needs codecarbon: pip install 'ncf-bench[energy]'")


@contextmanager
def measuring(tracking: Mapping[str, Any]) -> Iterator[dict[str, float]]:
    """Yield what holds the watt-hours of this process afterwards, by the metric's name, if wanted.

    Processors with counters are measured; of others their power when busy is taken, and of memory
    a power for its size.
    """
    found: dict[str, float] = {}
    if not tracking.get("energy", False):
        yield found
        return
    from codecarbon import OfflineEmissionsTracker

    # importing it sets what it says itself
    logging.getLogger("codecarbon").setLevel(logging.ERROR)
    meter = OfflineEmissionsTracker(
        country_iso_code=ANY_COUNTRY,
        tracking_mode="process",
        save_to_file=False,
        log_level="error",
        allow_multiple_runs=True,
    )
    meter.start()
    try:
        yield found
    finally:
        meter.stop()
    found[METRIC] = 1000 * meter.final_emissions_data.energy_consumed
