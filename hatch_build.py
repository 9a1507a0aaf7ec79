"""Pack the course's sources for the wheel: whoever takes the course does not come upon the answers by accident."""

from __future__ import annotations

import importlib.util
import sys
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class Seal(BuildHookInterface):
    """Put `lessons/chapters/texts.sealed` into a wheel, in place of the texts."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Pack the texts, unless the installation is an editable one, which reads them where they stand."""
        if version == "editable":
            return
        spec = importlib.util.spec_from_file_location("source", Path(self.root, "lessons/chapters/source.py"))
        assert spec is not None
        assert spec.loader is not None
        source = sys.modules["source"] = importlib.util.module_from_spec(spec)  # a dataclass looks its module up
        spec.loader.exec_module(source)
        self.folder = tempfile.TemporaryDirectory()
        packed = Path(self.folder.name, "texts.sealed")
        packed.write_bytes(source.sealed())
        build_data["force_include"][str(packed)] = "lessons/chapters/texts.sealed"

    def finalize(self, *_: Any) -> None:
        """Remove what was packed."""
        if hasattr(self, "folder"):
            self.folder.cleanup()
