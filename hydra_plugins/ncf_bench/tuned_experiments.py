"""Let Hydra look for experiments that src.tune wrote, too: in outputs/conf, if it is there."""

from __future__ import annotations

from hydra.core.config_search_path import ConfigSearchPath
from hydra.plugins.search_path_plugin import SearchPathPlugin

from src.config import compose


class TunedExperiments(SearchPathPlugin):
    """Adds the folder to where every command's configuration is looked for."""

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        folder = compose.OUTPUTS / "conf"
        if folder.is_dir():
            search_path.append("outputs", f"file://{folder}")
