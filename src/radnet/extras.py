"""Say which extra to install when a part of RADNet needs a package that is not there."""

from __future__ import annotations

import importlib
from typing import Any

from radnet.errors import MissingExtraError


def require(module: str, extra: str, what: str) -> Any:
    """Import a package that only an extra of RADNet installs.

    Args:
        module: What to import, e.g. `torch`.
        extra: The extra that brings it, e.g. `train`.
        what: What needs it, e.g. `radnet pretrain`.

    Returns:
        The module.

    Raises:
        MissingExtraError: If it is not installed.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] != module.split(".")[0]:
            raise  # the package is there and lacks something of its own
        package = module.split(".")[0]
        raise MissingExtraError(f"{what} needs {package}; pip install 'radnet[{extra}]'") from None
