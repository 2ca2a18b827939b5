from __future__ import annotations

import gc

import pytest

from src.config.startup import importing


def test_garbage_is_collected_again_after_imports() -> None:
    assert gc.isenabled()
    with importing():
        assert not gc.isenabled()
    assert gc.isenabled()
    with pytest.raises(ImportError), importing():
        raise ImportError
    assert gc.isenabled()
