"""What a wheel holds beside the package: the engine in C, the packed texts of the course, a README with whole links.

Without a compiler the package is pure, and complete.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import sys
import sysconfig
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface
from hatchling.metadata.plugin.interface import MetadataHookInterface

# No contraction of a product and a sum: results are those of Python to the last bit.
FLAGS = ["/O2", "/fp:precise"] if os.name == "nt" else ["-O2", "-g0", "-std=c11", "-ffp-contract=off"]


class Build(BuildHookInterface):
    """The steps that hatchling takes before it packs."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile `autodiff/_core.c` and pack the texts; an editable installation reads them where they stand."""
        self.folder = tempfile.TemporaryDirectory()
        core = None if os.environ.get("AUTODIFF_PURE") else compiled(Path(self.folder.name))
        if version == "editable":
            if core is not None:
                beside = Path(self.root, "autodiff", core.name)
                beside.unlink(missing_ok=True)  # a process that has the old one loaded keeps it
                shutil.copy(core, beside)
            return
        if core is not None:
            build_data["force_include"][str(core)] = f"autodiff/{core.name}"
            build_data["pure_python"], build_data["infer_tag"] = False, True
        packed = Path(self.folder.name, "texts.sealed")
        packed.write_bytes(sealed(Path(self.root)))
        build_data["force_include"][str(packed)] = "lessons/chapters/texts.sealed"

    def finalize(self, *_: Any) -> None:
        """Remove what was made."""
        self.folder.cleanup()


class Readme(MetadataHookInterface):
    """The README for who reads it elsewhere: its links and pictures lead to the repository."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Add it to the metadata."""
        text = Path(self.root, "README.md").read_text(encoding="utf-8")
        place = metadata["urls"]["Repository"]
        text = re.sub(r'(!\[[^]]*\]\(|(?:src|srcset)=")(?!https?:)', rf"\1{place}/raw/main/", text)
        text = re.sub(r"(?<!!)(\[[^]!]*\]\()(?!https?:|#)", rf"\1{place}/blob/main/", text)
        metadata["readme"] = {"content-type": "text/markdown", "text": text}


def compiled(folder: Path) -> Path | None:
    """Compile the engine into `folder`; return the file, or None where there is no compiler or no lock of Python's."""
    if sysconfig.get_config_var("Py_GIL_DISABLED"):
        return None
    from setuptools import Distribution, Extension

    extension = Extension("autodiff._core", ["autodiff/_core.c"], extra_compile_args=FLAGS, optional=True)
    command: Any = Distribution({"name": "autodiff", "ext_modules": [extension]}).get_command_obj("build_ext")
    command.build_lib, command.build_temp = str(folder), str(folder / "objects")
    command.ensure_finalized()
    command.run()
    path = Path(command.get_ext_fullpath("autodiff._core"))
    return path if path.exists() else None


def sealed(root: Path) -> bytes:
    """Return the course's sources, packed: whoever takes the course does not come upon the answers by accident."""
    spec = importlib.util.spec_from_file_location("source", root / "lessons/chapters/source.py")
    assert spec is not None
    assert spec.loader is not None
    source = sys.modules["source"] = importlib.util.module_from_spec(spec)  # a dataclass looks its module up
    spec.loader.exec_module(source)
    packed: bytes = source.sealed()
    return packed
