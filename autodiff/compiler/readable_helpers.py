"""The definitions that a readable text may begin with: pure functions of the array library `xp`."""

from __future__ import annotations

# Operations that are not functions of every array library, as short definitions of what they mean.
HELPERS = {
    "sigmoid": '''
def sigmoid(z):
    """1 / (1 + exp(-z)), and no overflow where z is far below 0."""
    e = xp.exp(-xp.abs(z))
    return xp.where(z < 0.0, e, 1.0) / (1.0 + e)
''',
    "softplus": """
def softplus(z):
    return xp.maximum(z, 0.0) + xp.log1p(xp.exp(-xp.abs(z)))
""",
    "relu": """
def relu(z):
    return xp.maximum(z, 0.0)
""",
    "leaky_relu": """
def leaky_relu(z, slope):
    return xp.where(z > 0.0, z, slope * z)
""",
    "step": """
def step(z):
    return xp.heaviside(z, 0.0)
""",
    "clip": """
def clip(z, low, high):
    return xp.minimum(xp.maximum(z, low), high)
""",
    "where": """
def where(condition, a, b):
    return xp.where(condition != 0.0, a, b)
""",
    "guarded_mul": '''
def guarded_mul(a, b):
    """a * b, where a factor that is 0 makes 0, whatever the other one is."""
    return xp.where((a == 0.0) | (b == 0.0), 0.0, a * b)
''',
    "kept": '''
def kept(a, b, x):
    """x, and 0 where guarded_mul(a, b) drops 0 * inf."""
    return xp.where(((a == 0.0) | (b == 0.0)) & xp.isnan(a * b), 0.0, x)
''',
    "erf": '''
def erf(z):
    """Taylor series (Abramowitz and Stegun 7.1.5) near 0, continued fraction (7.1.14) far from it."""
    near, far = xp.minimum(xp.abs(z), 2.0), xp.maximum(xp.abs(z), 2.0)
    term = series = near
    for n in range(1, 50):
        term = -term * near * near / n
        series = series + term / (2 * n + 1)
    fraction = far
    for n in range(100, 0, -1):
        fraction = far + 0.5 * n / fraction
    tail = 1.0 - xp.exp(-far * far) / (fraction * math.sqrt(math.pi))
    return xp.sign(z) * xp.where(xp.abs(z) < 2.0, 2.0 / math.sqrt(math.pi) * series, tail)
''',
    "stack": '''
def stack(rows, *pieces):
    """Put numbers, rows and groups of rows under one another."""
    pieces = [xp.atleast_2d(xp.asarray(piece)) for piece in pieces]
    return xp.concatenate([xp.broadcast_to(piece, (len(piece), rows)) for piece in pieces])
''',
    "spread": '''
def spread(size, rows, *pieces):
    """Add arrays up in an array of `size` units, each at its own positions."""
    total = xp.zeros((size, rows))
    for array, positions in pieces:
        positions = np.ravel(positions)
        if np.shape(array)[-1:] not in {(), (rows,)}:  # the same for all rows
            array = xp.broadcast_to(array, (*np.shape(array)[:-1], rows))
        array = xp.broadcast_to(xp.reshape(array, (-1, rows)) if np.shape(array) else array, (len(positions), rows))
        if len(set(positions.tolist())) < len(positions):  # several for one place
            total = total + xp.asarray(positions == np.arange(size)[:, None], dtype=float) @ array
            continue
        source = np.full(size, len(positions))  # the row of zeros, where nothing is added
        source[positions] = np.arange(len(positions))
        total = total + xp.concatenate([array, xp.zeros((1, rows))])[source]
    return total
''',
    "at": '''
def at(start, strides, shape):
    """The positions of a block in the flat array."""
    return start + sum(s * i for s, i in zip(strides, np.indices(shape), strict=True))
''',
}
