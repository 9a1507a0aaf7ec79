"""The readable text under another array library: jax.numpy, compiled by XLA, on one device and over several."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from autodiff import compile
from tests.test_readable import FUNCTIONS

ROOT = Path(__file__).parent.parent


@pytest.mark.parametrize("name", FUNCTIONS)
def test_under_jax_jit_the_text_gives_the_same_numbers(name):
    """`xp` bound to jax.numpy, inside jax.jit, in float64: value and gradient to 1e-10."""
    jax = pytest.importorskip("jax", reason="jax is not installed")
    import jax.numpy as jnp

    f, arguments = FUNCTIONS[name]()
    program = compile(f)
    value, gradient = program.value_and_grad(*arguments)
    module = {}
    exec(program.source.replace("xp = np ", "import jax.numpy as xp "), module)
    assert module["xp"] is jnp
    flat = np.array([p.data for p in program.parameters])
    before = jax.config.read("jax_enable_x64")
    jax.config.update("jax_enable_x64", True)
    try:
        jax_value, jax_gradient = jax.jit(module["value_and_grad"])(flat, *arguments)
    finally:
        jax.config.update("jax_enable_x64", before)
    assert jax_gradient.dtype == np.float64
    np.testing.assert_allclose(jax_value, value, rtol=1e-10)
    np.testing.assert_allclose(jax_gradient, gradient, rtol=1e-10, atol=1e-12)


def test_the_worked_example_of_the_docs_runs_over_four_devices():
    """docs/scaling.md, as it stands, on 4 virtual devices: the batch sharded by rows, the same gradients."""
    pytest.importorskip("jax", reason="jax is not installed")
    page = (ROOT / "docs" / "scaling.md").read_text(encoding="utf-8")
    blocks = [block.split("```")[0] for block in page.split("```python\n")[1:]]
    script = "\n".join(blocks) + "\nassert len(jax.devices()) == 4 and len(X_sharded.sharding.device_set) == 4\n"
    environment = {
        **os.environ, "XLA_FLAGS": "--xla_force_host_platform_device_count=4", "JAX_PLATFORMS": "cpu",
        "PYTHONPATH": str(ROOT),
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=False, cwd=ROOT
    )
    assert done.returncode == 0, done.stderr
