"""No text on a line, on another text or across the border of its shape, measured in a real browser from the SVG itself."""

import random

import pytest

from autodiff import Value, draw, exp, log, sqrt, total
from models import MLP
from models.losses import half_squared_error

NETWORKS = {
    "one neuron": ([2, 1], {}),
    "one neuron of Values": ([3, 1], {"values": True}),
    "2-2-1": ([2, 2, 1], {}),
    "2-3-1": ([2, 3, 1], {}),
    "2-3-1 of Values": ([2, 3, 1], {"values": True}),
    "3-4-4-1": ([3, 4, 4, 1], {}),
    "3-4-4-1 of Values": ([3, 4, 4, 1], {"values": True}),
    "4-8-3": ([4, 8, 3], {}),
    "4-8-3 of Values": ([4, 8, 3], {"values": True}),
    "2-16-16-1": ([2, 16, 16, 1], {}),
    "XOR over four samples": ([2, 2, 1], {"samples": 4}),
    "not swept": ([2, 3, 1], {"swept": False}),
    "two outputs": ([1, 2, 2], {}),
    "large numbers": ([2, 3, 1], {"factor": -1234.5}),
}


def chain(steps):
    x = y = Value(0.5, "x")
    for i in range(steps):
        y = (y.sin(), y * 1.1, y + x)[i % 3]
    return y


def black_scholes():
    """A call's price, with tanh for Φ."""
    s, k, t, sigma = (Value(x, name) for x, name in ((100.0, "S"), (110.0, "K"), (1.0, "T"), (0.2, "sigma")))
    d1 = (log(s / k) + (0.05 + sigma**2 / 2) * t) / (sigma * sqrt(t))
    low, high = ((1 + (0.7071 * d).tanh()) / 2 for d in (d1 - sigma * sqrt(t), d1))
    return s * high - k * exp(-0.05 * t) * low


PLAIN = {
    "25 operations": lambda: chain(25),
    "Black and Scholes": black_scholes,
    "a fan": lambda: total([Value(float(i), f"x{i}") for i in range(8)]) * Value(0.5, "w"),
    "long names": lambda: (
        Value(1234.5678, "apples_in_the_box_of_the_shop") / Value(-0.00012345, "of_which_rotten")
    ).tanh(),
    "infinite": lambda: sqrt(Value(0.0, "x")) * 3,
}
MEASURE = """() => {
  const svg = document.querySelector("svg");
  const box = (e) => { const b = e.getBoundingClientRect(); return {x: b.x, y: b.y, r: b.right, b: b.bottom}; };
  const words = (e) => e.textContent.trim();
  const texts = [...svg.querySelectorAll("text")].filter((e) => words(e) && !e.closest("#legend, .legend"));
  const found = [];
  const meet = (a, b) => a.x < b.r - 0.5 && b.x < a.r - 0.5 && a.y < b.b - 0.5 && b.y < a.b - 0.5;
  // The box of a line of text has room above and below its letters.
  const inked = (e) => { const b = box(e), h = (b.b - b.y) * 0.2; return {...b, y: b.y + h, b: b.b - h}; };
  texts.forEach((one, i) => texts.slice(i + 1).forEach((other) => {
    if (meet(inked(one), inked(other))) found.push(`text on text: ${words(one)} | ${words(other)}`);
  }));
  const ctm = svg.querySelector("g").getScreenCTM();
  for (const path of svg.querySelectorAll("g.edge path")) {
    const length = path.getTotalLength();
    const points = [];
    for (let k = 0; k <= length; k += 2) points.push(path.getPointAtLength(k).matrixTransform(ctm));
    for (const text of texts) {
      const b = inked(text);
      if (points.some((p) => p.x > b.x && p.x < b.r && p.y > b.y && p.y < b.b)) found.push(`line through: ${words(text)}`);
    }
  }
  for (const shape of svg.querySelectorAll("g.node ellipse")) {
    const frame = box(shape);
    const [x, y, r] = [(frame.x + frame.r) / 2, (frame.y + frame.b) / 2, (frame.r - frame.x) / 2];
    for (const text of shape.closest("g.node").querySelectorAll("text")) {
      const b = inked(text);
      for (const [px, py] of [[b.x, b.y], [b.r, b.y], [b.x, b.b], [b.r, b.b]]) {
        if (Math.hypot(px - x, py - y) > r) { found.push(`across its circle: ${words(text)}`); break; }
      }
    }
  }
  // The text of a card is inside it and all other text outside; no text crosses the border of a group.
  for (const frame of svg.querySelectorAll("g.node:not(.legend), g.group")) {
    const shape = frame.querySelector("polygon, path");
    if (!shape || frame.querySelector("ellipse")) continue;
    const f = box(shape), group = frame.classList.contains("group");
    for (const text of texts) {
      const b = inked(text), inside = b.x >= f.x && b.r <= f.r && b.y >= f.y && b.b <= f.b, clear = !meet(b, f);
      const mine = group ? text.closest("g.group") === frame : frame.contains(text);
      if (mine ? !inside : group ? !(inside || clear) : !clear) found.push(`across a border: ${words(text)}`);
    }
  }
  return found;
}"""


def cost(sizes, samples=1, *, values=False, swept=True, factor=1.0):
    """The cost of a network over some samples."""
    mlp = MLP(sizes[0], sizes[1:], activation="tanh", random_state=0)
    draw_number = random.Random(1).uniform
    costs = []
    for _ in range(samples):
        x = [factor * draw_number(-1.0, 1.0) for _ in range(sizes[0])]
        outputs = mlp([Value(v, f"x{i + 1}") for i, v in enumerate(x)] if values else x)
        many = isinstance(outputs, list) and len(outputs) > 1
        costs.append(half_squared_error(outputs, [0.5 * factor] * sizes[-1] if many else 0.5 * factor))
    root = total(costs) / samples if samples > 1 else costs[0]
    root.label = "C"
    if swept:
        root.backward()
    return root


@pytest.fixture(scope="module")
def page(chromium):
    """One tab for all pictures."""
    return chromium.new_page(viewport={"width": 2000, "height": 2000})


def overlaps(page, picture):
    page.set_content(picture.pipe("svg", encoding="utf-8"))
    return page.evaluate(MEASURE)


OPTIONS = [{}, {"rankdir": "TB"}, {"theme": "dark", "direction": "backward"}]


ZOOMS = [(name, detail) for name in NETWORKS for detail in ("operations", "neurons", "layers")]
# the operations of larger ones are thousands of points high, and not drawn unless asked for
ZOOMS = [(name, detail) for name, detail in ZOOMS if detail != "operations" or sum(NETWORKS[name][0]) <= 6]


@pytest.mark.parametrize("options", OPTIONS, ids=["LR", "TB", "δ"])
@pytest.mark.parametrize(("name", "detail"), ZOOMS)
def test_nothing_stands_on_anything_else(name, detail, options, page):
    """At every zoom, in both directions of ranks and with δ alone."""
    sizes, more = NETWORKS[name]
    assert overlaps(page, draw(cost(sizes, **more), detail=detail, **options)) == []


@pytest.mark.parametrize("options", OPTIONS, ids=["LR", "TB", "δ"])
@pytest.mark.parametrize("name", PLAIN)
def test_nor_in_a_picture_without_groups(name, options, page):
    """In one row or several."""
    root = PLAIN[name]()
    root.label = "result"
    root.backward()
    assert overlaps(page, draw(root, **options)) == []


def test_the_measure_sees_what_overlaps(page):
    """Planted: a text on a line, two texts on each other, and one wider than its circle are all told."""
    page.set_content(
        '<svg width="300" height="100"><g><g class="edge"><path d="M0,50 L300,50" stroke="black"/></g>'
        '<g class="node"><ellipse cx="40" cy="20" rx="10" ry="10"/><text x="10" y="25">much too wide</text></g>'
        '<text x="150" y="54">on it</text><text x="150" y="90">one</text><text x="155" y="92">two</text></g>'
        '<g class="node"><polygon points="250,0 290,0 290,30 250,30"/></g><text x="240" y="20">border</text></svg>'
    )
    assert {each.split(":")[0] for each in page.evaluate(MEASURE)} == {
        "line through",
        "text on text",
        "across its circle",
        "across a border",
    }
