"""The first contact with a server, made while the program still imports what a run needs."""

from __future__ import annotations

from threading import Thread

from omegaconf import DictConfig, OmegaConf

from src.tracking.store import check_server

_made: dict[str, _Contact] = {}


class _Contact(Thread):
    """Asks a server for an answer, and keeps why there was none."""

    def __init__(self, uri: str) -> None:
        super().__init__(name="contact", daemon=True)  # a mistake ends the program sooner
        self.uri = uri
        self.error: Exception | None = None

    def run(self) -> None:
        try:
            check_server(self.uri)
        except Exception as error:  # raised where the answer is waited for
            self.error = error


def make_contact(cfg: DictConfig) -> None:
    """Begin to ask the server that a configuration names; the answer is not waited for.

    What names none, or makes no sense, is left to the checks that come. Nor does a rehearsal ask.
    """
    if cfg.get("check"):
        return
    uri = OmegaConf.select(cfg, "tracking.uri", throw_on_resolution_failure=False)
    if isinstance(uri, str) and "://" in uri:
        _made[uri] = _Contact(uri)
        _made[uri].start()


def check_contact(uri: str) -> None:
    """Check that a server answers: the answer to `make_contact` is waited for, or it is asked now.

    An answer counts once. Raises OSError if there is none within CONTACT seconds.
    """
    contact = _made.pop(uri, None)
    if contact is None:
        check_server(uri)
        return
    contact.join()
    if contact.error is not None:
        raise contact.error
