from __future__ import annotations

import subprocess
import sys

import pytest

from tests.commands import REPOSITORY

IMPORTS = (
    "import sys\n"
    "from src.config.startup import importing\n"
    "with importing():\n"
    "    import pytorch_lightning as pl\n"
    "    from src.training.adam import Adam\n"
    "import torch\n"
)


def run(code: str) -> None:
    subprocess.run([sys.executable, "-c", IMPORTS + code], cwd=REPOSITORY, check=True)


def test_lightning_and_adam_come_without_the_compiler() -> None:
    run(
        "parameter = torch.nn.Parameter(torch.ones(2))\n"
        "adam = Adam([parameter])\n"
        "adam.zero_grad()\n"
        "adam.load_state_dict(adam.state_dict())\n"
        "assert 'torch._dynamo' not in sys.modules\n"
    )


@pytest.mark.parametrize(
    "statement",
    [
        "import torch._dynamo; dynamo = torch._dynamo",
        "dynamo = torch._dynamo",
        "from torch import _dynamo as dynamo",
        "import torch._dynamo.config; dynamo = torch._dynamo",
    ],
)
def test_it_is_there_for_who_asks(statement: str) -> None:
    run(f"{statement}\nassert issubclass(dynamo.OptimizedModule, torch.nn.Module)\n")


def test_who_asks_lightning_s_imports_for_more_gets_it() -> None:
    run(
        "from src.config.without_dynamo import without_dynamo\n"
        "with without_dynamo():\n"
        "    from torch._dynamo import reset\n"
        "assert torch._dynamo.reset is reset\n"
    )


def test_lightning_knows_what_was_compiled() -> None:
    run(
        "class Module(pl.LightningModule):\n"
        "    pass\n"
        "from pytorch_lightning.utilities.compile import _maybe_unwrap_optimized\n"
        "module = Module()\n"
        "assert _maybe_unwrap_optimized(module) is module\n"
        "compiled = torch.compile(module)\n"
        "assert compiled is not module\n"
        "assert _maybe_unwrap_optimized(compiled) is module\n"
    )
