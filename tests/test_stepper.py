"""The stepper's page in a real browser: its steps, its numbers against `.grad`, its keys, and what it never does."""

import json
import math
import re

import numpy as np
import pytest

from autodiff import OPS, Op, Value, exp, sqrt, stepper, topological_order, total, where
from autodiff.explanations.notation import text
from autodiff.pictures import RenderError
from models import MLP
from models.losses import cross_entropy, half_squared_error

HOSTILE = [
    "</script><script>document.title='pwned'</script>", "<!--<script>", "<img src=x onerror=\"document.title='pwned'\">",
    '"\'`${1}\\', "line\nbreak\r\n\u2028", "\u202eright to left\u202c", "שלום עולם", "x" * 10_000, "", " ", "{{data}} {{title}}",
    "javascript:alert(1)", "&lt;b&gt;&amp;", "\ud800", "\x00\x1b", "a.b.c.d", "..", "digraph { a -> b }", "🙂", "]]>",
]  # fmt: skip


def shown(number):
    """A number of ordinary size as pages write it: four digits and a real minus sign."""
    return f"{number:.4g}".replace("-", "−")


def neuron():
    """The neuron of the README, swept."""
    x, w, b = Value(2.0, "x"), Value(-3.0, "w"), Value(6.5, "b")
    z = w * x + b
    z.label = "z"
    a = z.sigmoid()
    a.label = "a"
    C = (1.0 - a) ** 2 / 2
    C.label = "C"
    C.backward()
    return C, x, w, b, z, a


def evaluated(root):
    """Nodes with operands first, first operands first: the order in which the page numbers them."""
    order, stack = {}, [root]
    while stack:
        node = stack[-1]
        waiting = [x for x in node.operands if isinstance(x, Value) and x not in order]
        if waiting:
            stack.append(waiting[0])
        else:
            order.setdefault(stack.pop(), len(order))
    return list(order)


def place(root, node):
    """The number that a node has on the page."""
    return next(i for i, each in enumerate(evaluated(root)) if each is node)


def embedded(path):
    """The data in the page."""
    page = path.read_text(encoding="utf-8")
    (data,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)
    return json.loads(data)


@pytest.fixture
def opened(visit, tmp_path):
    """Open a stepper's page of what is given, in a window of some size and scheme."""

    def open_page(root, *, width=1280, height=800, scheme="light", **options):
        return visit(stepper(root, tmp_path / "walk.html", **options), width=width, height=height, scheme=scheme)

    return open_page


def at(page):
    return int(page.locator("#slider").input_value())


def last(page):
    return int(page.locator("#slider").get_attribute("max"))


def go(page, step):
    page.locator("#slider").evaluate(
        "(slider, step) => { slider.value = step; slider.dispatchEvent(new Event('input')); }", step
    )


def exact(page, name):
    """The exact numbers in the panel: value and δ, None for one that is not known yet."""
    shown = page.locator("#panel .numbers dd:nth-of-type(1)").evaluate_all(
        "all => all.map(e => e.dataset.exact ?? null)"
    )
    return [None if each is None else float(each) for each in shown][("value", "δ").index(name)]


def test_the_walk_goes_forward_through_every_operation_and_back_through_every_node(opened):
    """Steps: the start, each operation after its operands, δ from the root to its operands, the update."""
    C, *_ = neuron()
    page = opened(C)
    order = evaluated(C)
    operations = [i for i, node in enumerate(order) if node.op is not None]
    assert last(page) == len(operations) + len(order) + 1
    assert page.locator("[aria-current=step][data-node]").count() == 0
    met = []
    for _ in range(last(page) - 1):
        page.keyboard.press("ArrowRight")
        met.append(int(page.locator("[data-node][aria-current=step]").get_attribute("data-node")))
    assert met == operations + list(reversed(range(len(order))))
    page.keyboard.press("ArrowRight")
    assert page.locator("[data-node][aria-current=step]").count() == 0
    assert page.locator("#panel h2").inner_text() == "Update"


def test_values_and_deltas_are_the_graphs_and_appear_when_their_step_comes(opened):
    """At every step the panel shows that node's data and grad, to the last bit; before it δ is not shown."""
    C, *_ = neuron()
    page = opened(C)
    order = evaluated(C)
    for step in range(1, last(page)):
        go(page, step)
        i = int(page.locator("[data-node][aria-current=step]").get_attribute("data-node"))
        assert exact(page, "value") == order[i].data
        assert exact(page, "δ") == (order[i].grad if step > sum(node.op is not None for node in order) else None)


def test_contributions_and_their_running_sum_are_those_of_the_sweep(opened):
    """A node used three times lists three products; their sums run to grad bit for bit."""
    x = Value(1.7, "x")
    y = x * x + x.sin() * 3.0
    y.backward()
    page = opened(y)
    go(page, last(page))
    page.locator("[data-node='0']").focus()
    rows = page.locator("#panel .terms tbody tr")
    assert rows.count() == 3
    products = [float(p) for p in page.locator("#panel .product").evaluate_all("all => all.map(e => e.dataset.exact)")]
    sums = [float(p) for p in page.locator("#panel .sum").evaluate_all("all => all.map(e => e.dataset.exact)")]
    running = 0.0
    for product, told in zip(products, sums, strict=True):
        running += product
        assert told == running
    assert sums[-1] == x.grad
    assert sorted(products) == sorted([1.7, 1.7, 3.0 * math.cos(1.7)])


def test_every_number_on_the_page_of_a_network_is_the_graphs(opened):
    """Value and δ of each node of a 2-3-2 network, to the last bit; the update's numbers; the loss it leads to."""
    mlp = MLP(2, [3, 2], activation="tanh", random_state=0)
    C = half_squared_error(mlp([0.5, -1.0]), [1.0, 0.0])
    C.backward()
    page = opened(C, learning_rate=0.05)
    go(page, last(page))
    rows = page.locator("#panel .new").evaluate_all("all => all.map(e => e.dataset.exact)")
    after = exact(page, "δ")
    page.locator("#fit").click()
    parameters = mlp.parameters()
    assert sorted(map(float, rows)) == sorted(p.data - 0.05 * p.grad for p in parameters)
    for i, node in enumerate(evaluated(C)):
        page.locator(f"[data-node='{i}']").dispatch_event("click")
        assert exact(page, "value") == node.data
        assert exact(page, "δ") == node.grad
    for p in parameters:
        p.data -= 0.05 * p.grad
    again = half_squared_error(mlp([0.5, -1.0]), [1.0, 0.0])
    assert after == pytest.approx(again.data, rel=1e-12)
    assert again.data < C.data


def test_every_operation_has_its_place(opened):
    """One graph with every row of the table: values and δ are the graph's, and each has its formulas."""
    results = []
    for name, op in OPS.items():
        at = 1.5 if name == "acosh" else 0.75
        results.append(op(*[Value(at + 0.01 * i, f"{name}{i}") for i in range(op.arity or 5)]))
    root = total(results)
    root.backward()
    page = opened(root)
    page.locator("#fit").click()
    go(page, last(page))
    for i, node in enumerate(evaluated(root)):
        page.locator(f"[data-node='{i}']").dispatch_event("click")
        assert exact(page, "δ") == node.grad
        if node.op is not None:
            spoken = page.locator("#panel [role=math]").evaluate_all(
                "all => all.map(e => e.getAttribute('aria-label'))"
            )
            assert any(each.endswith(f"= {shown(node.data)}".replace("−", "− ")) for each in spoken)
            assert page.locator("#panel h3", has_text="Local derivatives").count() == 1


def test_buttons_slider_and_phases_go_where_they_say(opened):
    """First, back, next, last, the slider and the three phases; at the ends the buttons are off."""
    C, *_ = neuron()
    page = opened(C)
    end = last(page)
    assert page.locator("#back").is_disabled()
    page.locator("#next").click()
    page.locator("#next").click()
    assert at(page) == 2
    page.locator("#back").click()
    assert at(page) == 1
    page.locator("#last").click()
    assert at(page) == end
    assert page.locator("#next").is_disabled()
    page.locator("#first").click()
    assert at(page) == 0
    page.locator("#phases button", has_text="Backward").click()
    assert "δ 1" in page.locator("[data-node][aria-current=step]").text_content()
    page.locator("#phases button", has_text="Update").click()
    assert at(page) == end
    page.locator("#phases button", has_text="Forward").click()
    assert at(page) == 0
    page.locator("#slider").focus()
    page.keyboard.press("ArrowRight")
    assert at(page) == 1


def test_play_walks_to_the_end_and_stops(opened):
    """Space plays, space pauses; at the end the button says Play again."""
    C, *_ = neuron()
    page = opened(C)
    page.locator("#speed").select_option("16")
    page.locator("#panel").focus()
    page.keyboard.press(" ")
    assert page.locator("#play").get_attribute("aria-label") == "Pause"
    page.keyboard.press(" ")
    assert page.locator("#play").get_attribute("aria-label") == "Play"
    page.locator("#play").click()
    page.wait_for_function("() => slider.value === slider.max")
    page.wait_for_function("() => play.getAttribute('aria-label') === 'Play'")


def test_the_keyboard_alone_reaches_everything(opened):
    """Tab comes to one node of the graph; up and down go on from there; left and right still step; Escape lets go."""
    C, *_ = neuron()
    page = opened(C)
    go(page, last(page) - 1)
    assert page.locator("[data-node][tabindex='0']").count() == 1
    page.locator("#search").focus()
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowUp")
    focused = "() => document.activeElement.dataset.node"
    start = int(page.evaluate(focused))
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    assert int(page.evaluate(focused)) == start + 2
    assert page.locator(".node.selected").get_attribute("data-node") == str(start + 2)
    assert exact(page, "value") == evaluated(C)[start + 2].data
    step = at(page)
    page.keyboard.press("ArrowLeft")
    assert at(page) == step - 1
    page.keyboard.press("Home")
    assert at(page) == 0
    page.keyboard.press("End")
    assert at(page) == last(page)


def test_a_click_shows_a_node_and_its_formulas(opened):
    """The panel has the label, the formula with symbols and numbers, the local derivative and the update."""
    C, _, w, _, _, a = neuron()
    page = opened(C, learning_rate=0.5)
    go(page, last(page))
    page.locator("#fit").click()
    page.locator(f"[data-node='{place(C, a)}']").click()
    panel = page.locator("#panel")
    assert panel.locator("h2").inner_text() == "a"
    spoken = panel.locator("[role=math]").evaluate_all("all => all.map(e => e.getAttribute('aria-label'))")
    assert "a = σ ( z )" in spoken
    assert "∂ a over ∂ z = a · ( 1 − a ) = 0.235" in spoken
    page.locator(f"[data-node='{place(C, w)}']").click()
    spoken = panel.locator("[role=math]").evaluate_all("all => all.map(e => e.getAttribute('aria-label'))")
    assert "w ← w − α · ∂ C over ∂ w" in spoken
    assert f"w ← − 3 − 0.5 · ( − 0.1774 ) = − {abs(-3 + 0.5 * 0.17744691734927373):.4g}" in spoken
    panel.locator(".terms button").first.click()
    assert panel.locator("h2").inner_text() != "w"


def test_what_happens_is_said_to_a_screen_reader(opened):
    """A polite live region tells each step; nodes have names that say what is known so far; the slider says its step."""
    C, *_ = neuron()
    page = opened(C)
    say = page.locator("#say")
    assert say.get_attribute("aria-live") == "polite"
    page.keyboard.press("ArrowRight")
    assert say.inner_text().startswith(f"Step 1 of {last(page)}. Forward: v1 = w · x = ")
    go(page, last(page) - 1)
    assert "Backward: ∂C/∂w" in say.inner_text() or "Backward: ∂C/∂x" in say.inner_text()
    assert "0.07127" in page.locator("#loss").inner_text()
    unnamed = page.locator("button:not([aria-label])").evaluate_all(
        "all => all.filter(e => !e.textContent.trim()).length"
    )
    assert unnamed == 0
    names = page.locator("[data-node]").evaluate_all("all => all.map(e => e.getAttribute('aria-label'))")
    assert "w, parameter, value −3, δ −0.1774" in names
    go(page, 0)
    names = page.locator("[data-node]").evaluate_all("all => all.map(e => e.getAttribute('aria-label'))")
    assert "z, add, value not computed yet, δ not known yet" in names


def test_a_hostile_label_is_text(opened):
    """Whatever labels say, the page walks, and shows them as text: no element, no script, no request of theirs."""
    leaves = [Value(1.0 + i, label) for i, label in enumerate(HOSTILE)]
    y = total([leaf.tanh() for leaf in leaves])
    y.backward()
    page = opened(y, parameters=leaves)
    for step in range(last(page) + 1):
        go(page, step)
    page.locator("#fit").click()
    for leaf in leaves:
        node = page.locator(f"[data-node='{place(y, leaf)}']")
        node.dispatch_event("click")
        assert exact(page, "δ") == leaf.grad
        heading = page.locator("#panel h2").text_content()
        assert all(word in heading for word in re.findall(r"\w+", leaf.label))
        assert len(node.text_content()) < 60
    assert page.title() == "Backpropagation: the result"
    assert page.locator("script").count() == 3
    assert page.locator("img, iframe, link, b b").count() == 0


@pytest.mark.parametrize("label", [HOSTILE[i] for i in (0, 1, 3, 5, 7, 8, 10)], ids=lambda label: ascii(label[:16]))
def test_a_hostile_title_is_text_and_breaks_nothing(opened, label):
    """As the page's title and as the label of the result, on a phone's width too."""
    y = Value(2.0, "x") * 3.0
    y.label = label
    page = opened(y, title=label, width=390, height=844)
    go(page, 1)
    heading = page.locator("h1").text_content()
    assert all(word in heading for word in re.findall(r"\w+", label))
    assert page.title() != "pwned"
    assert page.locator("script").count() == 3
    assert page.locator("img, iframe, link, b b").count() == 0
    assert page.evaluate("() => document.documentElement.scrollWidth <= innerWidth")


def test_what_is_infinite_or_not_a_number_is_shown_so(opened):
    """∞ and NaN reach the page as text, in the alarm's colour, with the diagnosis."""
    zero, big = Value(0.0, "zero"), Value(1000.0, "big")
    y = sqrt(zero) + where(Value(0.0, "condition"), exp(big), Value(1.0))
    page = opened(y)
    go(page, last(page))
    page.locator(f"[data-node='{place(y, zero)}']").focus()
    assert exact(page, "δ") == math.inf
    assert "domain edge" in page.locator("#panel .notes").inner_text()
    page.locator(f"[data-node='{place(y, big)}']").focus()
    assert "masked by where" in page.locator("#panel .notes").inner_text()
    assert page.locator(".node.alarm").count() == 1


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_is_readable_on_a_phone_in_light_and_in_dark(opened, scheme):
    """At 390 × 844 nothing is cut off to the side, the controls are in reach, text and paper contrast by 4.5 : 1."""
    mlp = MLP(2, [2, 1], activation="sigmoid", random_state=0)
    page = opened(half_squared_error(mlp([0.5, 1.0]), 0.9), width=390, height=844, scheme=scheme)
    go(page, last(page) - 2)
    assert page.evaluate("() => document.documentElement.scrollWidth <= innerWidth")
    for control in ["#play", "#slider", "#next", "#panel", "#graph", "#speed"]:
        box = page.locator(control).bounding_box()
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= 390
        assert box["y"] + box["height"] <= 844
        assert box["height"] >= 24
    contrast = page.evaluate(
        """() => {
          const rgb = (text) => text.match(/[\\d.]+/g).slice(0, 3).map(Number);
          const light = (text) => rgb(text).map((c) => c / 255).map((c) => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
            .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
          const ratio = (a, b) => (Math.max(light(a), light(b)) + 0.05) / (Math.min(light(a), light(b)) + 0.05);
          const probe = document.body.appendChild(document.createElement("i"));
          const color = (name) => { probe.style.color = `var(--${name})`; return getComputedStyle(probe).color; };
          const pairs = [["ink", "page"], ["ink", "card"], ["muted", "card"], ["muted", "page"], ["positive", "positive-paper"],
            ["negative", "negative-paper"], ["zero", "zero-paper"], ["alarm", "alarm-paper"], ["card", "accent"], ["parameter", "card"],
            ["input", "card"]];
          return pairs.map(([a, b]) => [a, b, ratio(color(a), color(b))]);
        }"""
    )
    assert [pair for pair in contrast if pair[2] < 4.5] == []


def test_a_thousand_nodes_open_and_walk(opened):
    """A page of over 1,000 nodes draws what is in sight, all of it when asked to, and the far end is a step away."""
    w = [Value(0.01 * i, f"w{i}") for i in range(260)]
    y = Value(1.0, "x")
    for each in w:
        y = (y * each + 0.5).tanh()
    y.backward()
    page = opened(y)
    assert page.locator("[data-node]").count() < 50  # what is in sight
    page.locator("#fit").click()
    assert page.locator("[data-node]").count() == len(topological_order(y)) > 1_000
    go(page, last(page) - 1)
    i = int(page.locator("[data-node][aria-current=step]").get_attribute("data-node"))
    assert exact(page, "δ") == evaluated(y)[i].grad


def test_the_page_forbids_itself_everything_but_its_own_script_and_style(tmp_path):
    """Policy: default-src 'none', script and style by hash; no handler, no address, no style attribute in the text."""
    C, *_ = neuron()
    page = stepper(C, tmp_path / "walk.html").read_text(encoding="utf-8")
    (policy,) = re.findall(r'http-equiv="Content-Security-Policy" content="([^"]*)"', page)
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert "unsafe" not in policy
    assert "*" not in policy
    assert re.search(r"\son\w+=", page.split("<script>")[0]) is None
    assert re.search(r"\sstyle=", page) is None
    assert re.findall(r"https?://[^\"\s]+", page) == ["http://www.w3.org/2000/svg"] * 2  # a name, not an address
    assert "innerHTML" not in page
    assert "eval(" not in page


def test_the_policy_holds(opened):
    """A script that did find its way in would not run."""
    C, *_ = neuron()
    page = opened(C)
    ran = page.evaluate(
        """() => {
          const script = document.createElement("script");
          script.textContent = "window.ran = true";
          const blocked = new Promise((done) => document.addEventListener("securitypolicyviolation", () => done(window.ran === undefined)));
          document.body.append(script);
          return blocked;
        }"""
    )
    assert ran
    assert all("Content Security Policy" in complaint for complaint in page.complaints)
    page.complaints.clear()


def test_nothing_is_swept_or_changed(tmp_path):
    """Data, δ and labels are as before; the page's δ does not depend on them."""
    C, *_ = neuron()
    mlp = MLP(2, [2, 1], random_state=0)
    loss = half_squared_error(mlp([1.0, 2.0]), 0.0)
    stepper(loss, tmp_path / "unswept.html")
    assert not any(node.swept for node in topological_order(loss))
    for node in topological_order(C):
        node.grad = 7.0
    data = embedded(stepper(C, tmp_path / "walk.html"))
    assert data["nodes"][-1]["delta"] == "1"
    assert all(node.grad == 7.0 for node in topological_order(C))
    assert sorted(each.name for each in tmp_path.iterdir()) == ["unswept.html", "walk.html"]


def test_parameters_are_those_asked_for_or_named_so(tmp_path):
    """By default w, b, weight, bias with numbers, also behind dots; else the given leaves; or none."""
    x, w1, bias, other = Value(1.0, "x"), Value(2.0, "w1"), Value(3.0, "layer1.bias"), Value(4.0, "wide")
    y = x * w1 + bias + other
    order = evaluated(y)

    def chosen(**options):
        return [order[i] for i in embedded(stepper(y, tmp_path / "walk.html", **options))["parameters"]]

    assert set(chosen()) == {w1, bias}
    assert set(chosen(parameters=[other, x])) == {other, x}
    assert chosen(parameters=[]) == []


def test_the_callers_variables_name_what_has_no_label(tmp_path):
    """With names=locals() titles, formulas and parameters go by the variables, as in draw."""
    x, w = Value(2.0), Value(3.0)
    z = w * x
    y = z.tanh()
    data = embedded(stepper(y, tmp_path / "walk.html", names=locals()))
    assert {node["title"] for node in data["nodes"]} == {"w", "x", "z", "y"}
    assert text(data["nodes"][-1]["definition"]) == "tanh(z)"
    assert [data["nodes"][i]["title"] for i in data["parameters"]] == ["w"]


def test_the_loss_after_the_update_is_left_out_where_it_cannot_be_known(opened):
    """When data was changed since, or the step leaves a domain, there is no number rather than a wrong one."""
    w = Value(0.01, "w")
    page = opened(-(w.log() * -1.0), learning_rate=1.0)
    go(page, last(page))
    assert "→" not in page.locator("#loss").inner_text()
    v = Value(2.0, "w")
    z = v * v
    v.data = 5.0
    page = opened(z)
    go(page, last(page))
    assert "→" not in page.locator("#loss").inner_text()


def test_many_consumers_are_listed_up_to_a_limit(opened):
    """Of 500 contributions the panel lists the largest and sums the rest; the page stays small."""
    x = Value(1.0, "x")
    y = total([x * float(k) for k in range(1, 501)])
    page = opened(y)
    go(page, last(page))
    page.locator("[data-node='0']").focus()
    assert page.locator("#panel .terms tbody tr").count() == 61
    assert "440 more" in page.locator("#panel .terms").inner_text()
    assert exact(page, "δ") == 125250.0


def test_bad_arguments_are_refused_before_anything_is_written(tmp_path, request):
    """Each error names the value, the rule and the way out; no file is left."""
    C, *_ = neuron()
    page = tmp_path / "walk.html"
    (tmp_path / "folder.html").mkdir()
    for error, match, call in [
        (TypeError, "root must be the Value at the end", lambda: stepper(3.0, page)),
        (
            ValueError,
            r"the suffix must be one of \.html, \.htm, got '\.svg'",
            lambda: stepper(C, tmp_path / "walk.svg"),
        ),
        (FileNotFoundError, "create it first", lambda: stepper(C, tmp_path / "no" / "walk.html")),
        (
            ValueError,
            "learning_rate must be a finite number above 0, got -1",
            lambda: stepper(C, page, learning_rate=-1),
        ),
        (ValueError, "learning_rate", lambda: stepper(C, page, learning_rate=math.nan)),
        (ValueError, "learning_rate .* got True", lambda: stepper(C, page, learning_rate=True)),
        (ValueError, "max_nodes must be a whole number .* got 2.5", lambda: stepper(C, page, max_nodes=2.5)),
        (ValueError, "max_nodes must be a whole number .* got 0", lambda: stepper(C, page, max_nodes=0)),
        (ValueError, "timeout must be a number of seconds above 0", lambda: stepper(C, page, timeout=0)),
        (TypeError, "title must be text, got int 3", lambda: stepper(C, page, title=3)),
        (TypeError, "parameters must be Values", lambda: stepper(C, page, parameters=C)),
        (IsADirectoryError, "must be that of a file, got the folder", lambda: stepper(C, tmp_path / "folder.html")),
        (ValueError, "digits must be a whole number from 1 to 17", lambda: stepper(C, page, digits=0)),
        (ValueError, "at most max_nodes=3 nodes, got", lambda: stepper(C, page, max_nodes=3)),
        (TypeError, r"parameters must be Values, got \[1.0\]", lambda: stepper(C, page, parameters=[1.0])),
        (
            ValueError,
            "got 'lonely', which the root was not computed from",
            lambda: stepper(C, page, parameters=[Value(1.0, "lonely")]),
        ),
        (ValueError, "got 'C', which was computed", lambda: stepper(C, page, parameters=[C])),
    ]:
        with pytest.raises(error, match=match):
            call()
    request.getfixturevalue("no_graphviz")
    with pytest.raises(RenderError, match="no Graphviz"):
        stepper(C, page)
    assert list(tmp_path.iterdir()) == [tmp_path / "folder.html"]


def test_a_learning_rate_may_be_any_real_number(opened):
    """A NumPy scalar of any width is one."""
    w = Value(1.0, "w")
    page = opened(w * w, learning_rate=np.float32(0.25))
    go(page, last(page))
    assert "0.25" in page.locator("#panel").inner_text()


def test_one_leaf_alone_is_a_walk_too(opened):
    """The smallest graph: nothing to compute, δ = 1."""
    page = opened(Value(np.float64(2.5), "x"))
    page.keyboard.press("ArrowRight")
    assert exact(page, "value") == 2.5
    assert exact(page, "δ") == 1.0


def test_a_graph_that_could_not_be_placed_in_time_is_refused_at_once(tmp_path):
    """One parameter along a chain of 300 steps: placing its edges takes Graphviz more than a minute, so it says so first."""
    y, w = Value(0.5, "x"), Value(1.0, "w")
    for _ in range(300):
        y = (y * w).tanh()
    with pytest.raises(ValueError, match="may take minutes; step through a smaller part"):
        stepper(y, tmp_path / "page.html")
    assert list(tmp_path.iterdir()) == []


def panel_of(page, root, node):
    """Select a node and return its exact value and δ."""
    page.locator("#fit").click()
    page.locator(f"[data-node='{place(root, node)}']").dispatch_event("click")
    return exact(page, "value"), exact(page, "δ")


def test_a_number_that_is_typed_or_dragged_changes_all_others_at_once(opened):
    """Values, δ and loss of the graph with another w, as Python computes it; undo and reset bring back what was."""
    C, x, w, _, z, _ = neuron()
    page = opened(C)
    go(page, last(page) - 1)
    before = panel_of(page, C, w)
    page.locator("#editor .number").fill("-2.5")
    other, x2, w2, b2 = None, Value(2.0), Value(-2.5), Value(6.5)
    z2 = w2 * x2 + b2
    other = (1.0 - z2.sigmoid()) ** 2 / 2
    other.backward()
    assert panel_of(page, C, w) == pytest.approx((-2.5, w2.grad), rel=1e-12)
    assert panel_of(page, C, z) == pytest.approx((z2.data, z2.grad), rel=1e-12)
    assert panel_of(page, C, x) == pytest.approx((2.0, x2.grad), rel=1e-12)
    assert f"{other.data:.4g}" in page.locator("#loss").inner_text()
    panel_of(page, C, w)
    page.locator("#editor input[type=range]").focus()
    page.keyboard.press("ArrowRight")
    assert panel_of(page, C, w)[0] > -2.5
    page.locator("#undo").click()
    assert panel_of(page, C, w)[0] == -2.5
    page.locator("#reset").click()
    assert panel_of(page, C, w) == before
    page.locator("#undo").click()
    assert panel_of(page, C, w)[0] == -2.5


def test_iterations_go_on_for_ever_with_the_step_that_alpha_says(opened):
    """Twenty iterations with α = 0.5, changed to 0.25 for the last ten: Python's parameters and loss to 1e-12."""
    C, _, w, b, _, _ = neuron()
    page = opened(C, learning_rate=0.5)
    go(page, last(page))
    for k in range(20):
        if k == 10:
            page.locator("#rate").fill("0.25")
        page.locator("#iterate").click()
    values = {w: -3.0, b: 6.5}
    for k in range(20):
        w2, b2 = Value(values[w]), Value(values[b])
        loss = (1.0 - (w2 * 2.0 + b2).sigmoid()) ** 2 / 2
        loss.backward()
        for old, new in ((w, w2), (b, b2)):
            values[old] = new.data - (0.5 if k < 10 else 0.25) * new.grad
    assert panel_of(page, C, w)[0] == pytest.approx(values[w], rel=1e-12)
    assert panel_of(page, C, b)[0] == pytest.approx(values[b], rel=1e-12)
    assert page.locator("#iterations").inner_text().startswith("20 iterations: C ")
    assert len(page.locator("#curve polyline").get_attribute("points").split()) == 21
    page.locator("#run").click()
    page.wait_for_function("() => parseInt(document.getElementById('iterations').textContent) > 25")
    page.locator("#run").click()
    page.locator("#undo").click()


def test_plain_inputs_of_a_neuron_can_be_changed_for_all_neurons_that_share_them(opened):
    """Inputs given as floats are fields of the neurons: another sample is another loss, as in Python."""
    mlp = MLP(2, [3, 1], activation="tanh", random_state=0)
    C = half_squared_error(mlp([0.5, -1.0]), 1.0)
    page = opened(C)
    go(page, last(page) - 1)
    sums = [node for node in evaluated(C) if node.label == "layer1.neuron1.z"]
    panel_of(page, C, sums[0])
    page.locator("#editor .number").nth(1).fill("2")
    assert panel_of(page, C, C)[0] == pytest.approx(half_squared_error(mlp([0.5, 2.0]), 1.0).data, rel=1e-12)


def test_a_number_outside_a_domain_is_said_in_words(opened):
    """The page names operation, value, domain and node, as Python's DomainError does; another number mends it."""
    x = Value(2.0, "x")
    y = x.log()
    y.label = "loss"
    page = opened(y)
    go(page, last(page))
    panel_of(page, y, x)
    page.locator("#editor .number").fill("-0.5")
    assert page.locator("#formula").inner_text() == "log of -0.5, outside (0, ∞), in 'loss'"
    assert math.isnan(panel_of(page, y, y)[0])
    panel_of(page, y, x)
    page.locator("#editor .number").fill("4")
    assert panel_of(page, y, x) == (4.0, 0.25)


def test_samples_are_walked_through_one_by_one_or_all_together(opened):
    """A list of losses: each sample has its own steps and δ, "all" has the mean's; nodes say which sample they are of."""
    mlp = MLP(2, [2, 1], activation="tanh", random_state=0)
    data = [([0.0, 1.0], 1.0), ([1.0, 1.0], 0.0), ([1.0, 0.5], 1.0)]
    losses = [half_squared_error(mlp(x), y) for x, y in data]
    page = opened(losses)
    assert page.locator("#view option").all_inner_texts() == ["all samples", "sample 1", "sample 2", "sample 3"]
    bias = mlp.parameters()[-1]

    def delta_in(view):
        page.locator("#view").select_option(view)
        go(page, last(page) - 1)
        page.locator("#search").fill(bias.label)
        assert page.locator("#panel h2").inner_text() == bias.label
        return exact(page, "δ")

    expected = []
    for loss in losses:
        mlp.zero_grad()
        loss.backward()
        expected.append(bias.grad)
    assert [delta_in(f"sample {k}") for k in (1, 2, 3)] == pytest.approx(expected, rel=1e-12)
    assert delta_in("all samples") == pytest.approx(sum(expected) / 3, rel=1e-12)
    page.locator("#fit").click()
    page.locator("[data-node][aria-label^='sample 3 · z']").first.dispatch_event("click")
    assert page.locator("#panel h2").inner_text().startswith("sample 3 · layer")


def test_cards_write_a_node_without_a_name_alike_wherever_it_stands(opened):
    """v₁ keeps its small digit under a root, in a quotient and in a power, as where it is made."""
    x = Value(3.0, "x")
    shifted = x - 1.0
    y = shifted.sqrt() + shifted / (x + 1.0) + shifted**-2.0 + exp(shifted)
    y.label = "y"
    page = opened(y)
    titles = {title.partition(" = ")[2] for title in page.locator("[data-node] .title").all_text_contents()}
    v1 = next(t.partition(" = ")[0] for t in page.locator("[data-node] .title").all_text_contents() if "x − 1" in t)
    v2 = next(t.partition(" = ")[0] for t in page.locator("[data-node] .title").all_text_contents() if "x + 1" in t)
    assert {f"√({v1})", f"{v1}/{v2}", f"{v1}^(-2)", f"e^{v1}"} <= titles


def test_formulas_do_not_contradict_themselves(opened):
    """y = x·x + x: ∂y/∂x is the whole derivative, ∂₁ and ∂₂ are local ones; x·x stays x·x; a sum of sweeps is marked."""
    x = Value(3.0, "x")
    y = x * x + x
    y.label = "y"
    y.backward()
    y.backward()
    page = opened(y)
    go(page, last(page))
    assert (
        page.locator("#say")
        .inner_text()
        .endswith("∂y/∂x = δy · ∂₂y + δv1 · ∂₂v1 + δv1 · ∂₁v1 = 1 · 1 + 1 · 3 + 1 · 3 = 7")
    )
    assert page.locator("[data-node='1'] .title").text_content() == "v₁ = x · x"
    assert "grad holds 14, not this δ = 7" in page.locator("#panel .held").inner_text()
    assert page.locator("[data-node='0'] text.held").count() == 1


def test_a_graph_with_an_operation_that_cannot_be_repeated_is_a_recording(opened):
    """It walks as ever; nothing can be changed, and the page says why."""
    mine = Op("mine", "m", lambda a: a if a > 0.0 else 0.0, partials=(lambda a, r: 1.0 if a > 0.0 else 0.0,))
    w = Value(2.0, "w")
    y = mine(w) * 3.0
    page = opened(y)
    assert page.locator("#live").is_hidden()
    assert "cannot repeat the operation 'mine'" in page.locator("#panel").inner_text()
    go(page, last(page) - 1)
    assert panel_of(page, y, w) == (2.0, 3.0)
    assert page.locator("#editor input").count() == 0


def test_a_network_opens_as_neurons_which_unfold_and_fold(opened):
    """Over 50 nodes: one card per neuron with its activation and δ; a click and "Unfold" show the nodes, "Fold" hides them."""
    mlp = MLP(4, [4, 3, 1], activation="tanh", random_state=1)
    C = half_squared_error(mlp([0.5, -1.0, 2.0, 0.3]), 1.0)
    C.backward()
    page = opened(C)
    page.locator("#fit").click()
    go(page, last(page))
    assert page.locator("#level").input_value() == "0"
    units = page.locator(".node:has(.under)")
    assert units.count() == 8
    (a,) = [node for node in evaluated(C) if node.label == "layer1.neuron2.a"]
    (z,) = [node for node in evaluated(C) if node.label == "layer1.neuron2.z"]
    name = f"layer1.neuron2, tanh, value {shown(a.data)}, δ {shown(z.grad)}"
    page.locator(f"[aria-label='{name}']").dispatch_event("click")
    page.locator("#panel button", has_text="Unfold").click()
    page.locator("#fit").click()
    assert units.count() == 7
    assert panel_of(page, C, a) == (a.data, a.grad)
    page.locator("#panel button", has_text="Fold layer1.neuron2").click()
    page.locator("#fit").click()
    assert units.count() == 8
    page.locator("#level").select_option(label="operations")
    page.locator("#fit").click()
    assert page.locator("[data-node]").count() == len(evaluated(C))
    page.locator("#level").select_option(label="layers")
    page.locator("#fit").click()
    assert units.count() >= 2
    page.locator("#search").fill("layer1.neuron2.a")
    assert page.locator(".node.found").count() == 1


def words_of(page):
    """What the page says at its end, formulas and names of nodes aside."""
    page.locator("#last").click()
    for _ in range(3):
        page.locator("#back").click()
    return set(
        page.locator("body").evaluate(
            """body => [...body.querySelectorAll("[aria-label], [title], [placeholder]")].flatMap(e => [e.ariaLabel, e.title, e.placeholder])
              .concat(document.title, body.innerText.split("\\n")).filter(text => text && /[a-z]{4}/.test(text) && !/^(tanh|bias|(layer|neuron|weight)[0-9])/.test(text))"""
        )
    )


def test_the_page_speaks_one_language(opened):
    """In Spanish no place has the words that it has in English, and the page says which language it is."""
    loss = half_squared_error(MLP(2, [2, 1], activation="tanh", random_state=0)([0.5, 1.0]), 0.9)
    page = opened([loss, loss * 2])
    english, tongue = words_of(page), page.locator("html").get_attribute("lang")
    page = opened([loss, loss * 2], language="es")
    spanish = words_of(page)
    assert (tongue, page.locator("html").get_attribute("lang")) == ("en", "es")
    assert len(english) > 20
    assert english & spanish == set()
    assert page.title() == "Retropropagación: promedio"


@pytest.mark.parametrize("widths", [[4, 3, 1], [3, 2, 1]])
@pytest.mark.parametrize(("width", "height"), [(1280, 800), (390, 844)])
def test_numbers_beside_wires_lie_on_nothing(opened, widths, width, height):
    """In every view, at every step, no number lies on another or on a card."""
    mlp = MLP(4, widths, activation="tanh", random_state=0)
    page = opened((mlp([Value(x, f"x{x}") for x in (0.3, -0.5, 0.8, 0.1)]) - 1) ** 2, width=width, height=height)
    collisions = """() => {
      const boxes = (what) => [...document.querySelectorAll(what)].filter((e) => e.tagName !== "text" || e.textContent).map((e) => e.getBBox());
      const meet = (a, b) => a.x + 1 < b.x + b.width && b.x + 1 < a.x + a.width && a.y + 2 < b.y + b.height && b.y + 2 < a.y + a.height;
      const [numbers, cards] = [boxes("#graph .edge text"), boxes("#graph .frame:not(.under)")];
      return [numbers.length, numbers.filter((a, i) => numbers.some((b, j) => i < j && meet(a, b)) || cards.some((b) => meet(a, b))).length];
    }"""
    met = 0
    for level in ("operations", "neurons", "layers"):
        page.locator("#level").select_option(label=level)
        page.locator("#fit").click()
        for step in range(1, last(page) + 1):
            go(page, step)
            numbers, lying = page.evaluate(collisions)
            assert lying == 0, (level, step)
            met += numbers
    assert met > 50


def test_parameters_stand_in_their_order_and_layers_behind_each_other(tmp_path):
    """Left to right: weight1, weight2, …, bias from the top in each neuron, every z of a layer right of those before."""
    root = (MLP(3, [4, 4, 1], activation="tanh", random_state=0)([0.3, -0.5, 0.8]) - 1) ** 2
    data = embedded(stepper(root, tmp_path / "walk.html"))
    at = {node["label"]: box for node, box in zip(data["nodes"], data["layouts"][0][0]["boxes"], strict=True)}
    for layer, (inputs, neurons) in enumerate([(3, 4), (4, 4), (4, 1)], 1):
        for neuron in range(1, neurons + 1):
            names = [*(f"weight{i + 1}" for i in range(inputs)), "bias"]
            places = [at[f"layer{layer}.neuron{neuron}.{name}"][1] for name in names]
            assert places == sorted(places)
    columns = [[at[f"layer{layer}.neuron{j}.z"][0] for j in range(1, n + 1)] for layer, n in ((1, 4), (2, 4), (3, 1))]
    assert max(columns[0]) < min(columns[1])
    assert max(columns[1]) < columns[2][0]


def test_on_a_phone_the_graph_has_the_window_and_details_grow_when_asked(opened):
    """At 390 × 844 the graph has more than 45 % of the height; a button gives half of it to the details, and back."""
    page = opened(neuron()[0], width=390, height=844)
    graph, panel = page.locator("#graph"), page.locator("#panel")
    assert graph.bounding_box()["height"] > 0.45 * 844
    page.locator("#more").click()
    assert panel.bounding_box()["height"] > 0.5 * 844
    page.locator("#more").click()
    assert graph.bounding_box()["height"] > 0.45 * 844


def classifier(widths=(8, 3)):
    """A network of 4-8-3 with dead neurons, or of other widths, and its loss."""
    outputs = MLP(4, list(widths), activation="relu", random_state=0)([0.5, -1.0, 2.0, 1.0])
    C = cross_entropy(outputs, 1) if widths[-1] > 1 else (outputs - 1.0) ** 2
    C.label = "C"
    return C


def test_the_table_of_updates_is_whole_in_its_panel(opened):
    """No number of it is cut off or has to be scrolled to, at 1,280 pixels."""
    page = opened(classifier())
    go(page, last(page))
    assert page.locator("#panel .table").evaluate("e => e.scrollWidth <= e.clientWidth")
    right = page.locator("#panel").evaluate("e => e.getBoundingClientRect().right")
    assert (
        page.locator("#panel .new").evaluate_all("all => Math.max(...all.map(e => e.getBoundingClientRect().right))")
        < right
    )


def test_after_the_update_parameters_have_their_new_values(opened):
    """Their cards say → w − α·δ in the last step, and the old ones again a step before."""
    x = Value(3.0, "w")
    page = opened(x * x + x, parameters=[x], learning_rate=0.1)
    value = page.locator("[data-node='0'] .value")
    go(page, last(page))
    assert value.text_content() == "→ 2.3"
    go(page, last(page) - 1)
    assert value.text_content() == "3"


def test_a_number_typed_with_a_comma_is_meant_and_what_is_none_is_told(opened):
    """For α and for a leaf: 0,1 is 0.1; −1 is no α; the field goes back to what holds."""
    C, _, w, *_ = neuron()
    page = opened(C)
    panel_of(page, C, w)
    page.locator("#editor .number").fill("2,5")
    assert exact(page, "value") == 2.5
    page.locator("#editor .number").fill("2,5,")
    assert page.locator("#wrong").inner_text() == "Write a number, such as 0.1."
    page.locator("#rate").fill("0,25")
    go(page, last(page))
    page.keyboard.press("Escape")
    assert "α = 0.25" in page.locator("#panel").inner_text()
    page.locator("#rate").fill("-1")
    assert page.locator("#wrong").inner_text() == "Write a number above 0."
    page.locator("#rate").blur()
    assert page.locator("#rate").input_value() == "0.25"
    assert not page.locator("#wrong").is_visible()


def test_the_delta_of_a_folded_neuron_is_that_of_its_weighted_sum(opened):
    """δ of z, as in `draw`: 0 for a dead neuron, whatever δ its output has."""
    C = classifier()
    C.backward()
    page = opened(C)
    go(page, last(page))
    page.locator("#fit").click()
    page.wait_for_timeout(400)
    assert page.locator("#level").input_value() == "0"
    found = dict(
        page.locator("[data-node]").evaluate_all(
            "all => all.map(e => [e.querySelector('.title').textContent, e.querySelector('.delta').textContent])"
        )
    )
    sums = [node for node in evaluated(C) if node.label.endswith(".z")]
    assert len(sums) == 11
    assert any(node.grad == 0 for node in sums)
    for node in sums:
        assert found[node.label.removesuffix(".z")] == f"δ {shown(node.grad)}"


def test_what_a_folded_neuron_holds_has_the_values_that_are_known(opened):
    """At the start its parameters are known, its operations not yet."""
    C = classifier()
    page = opened(C)
    page.locator("[data-node]", has_text="layer1.neuron1").dispatch_event("click")
    told = dict(
        page.locator("#panel .terms tbody tr").evaluate_all(
            "all => all.map(r => [r.querySelector('button').ariaLabel, r.cells[1].textContent])"
        )
    )
    bias = next(node for node in evaluated(C) if node.label == "layer1.neuron1.bias")
    assert told[bias.label] == shown(bias.data)
    assert told["layer1.neuron1.z"] == "–"


def test_iterations_tell_the_loss_in_numbers(opened):
    """Of the first and of the last, beside their curve and above the graph, at any step."""
    C, *_ = neuron()
    page = opened(C, learning_rate=0.5)
    page.locator("#iterate").click()
    page.locator("#iterate").click()
    first, now = page.locator("#iterations").inner_text().split("C ")[1].split(" → ")
    assert first == shown(C.data)
    assert page.locator("#loss").inner_text() == f"C = {now}"


def test_a_recording_says_so_in_the_language_of_the_page(opened):
    """No English sentence on a Spanish page of an operation that cannot be repeated."""
    mine = Op("mine", "m", lambda a: a if a > 0.0 else 0.0, partials=(lambda a, r: 1.0 if a > 0.0 else 0.0,))
    told = opened(mine(Value(2.0, "w")) * 3.0, language="es").locator("#panel").inner_text()
    assert "no puede repetir la operación 'mine'" in told
    assert "operation" not in told


def test_a_search_prefers_what_is_in_sight_and_says_when_nothing_is_found(opened):
    """A weight of the unfolded layer before that of a folded one; "nichts" is answered."""
    page = opened(classifier())
    page.locator("[data-node]", has_text="layer2.neuron1").dispatch_event("click")
    page.get_by_role("button", name="Unfold").click()
    page.locator("#search").fill("weight3")
    assert page.locator(".node.selected .title").text_content() == "layer2.neuron1.weight3"
    page.locator("#search").fill("nichts")
    assert page.locator("#found").inner_text() == "not found"
    page.locator("#search").fill("")
    assert not page.locator("#found").is_visible()


def test_unfolded_cards_have_their_neurons_name_and_stand_in_order(opened):
    """weight1, weight2, … downwards, and no two cards of one title."""
    page = opened(classifier(), height=2000)
    page.locator("#level").select_option("1")
    page.locator("[data-node]", has_text="layer1").dispatch_event("click")
    page.get_by_role("button", name="Unfold").click()
    page.locator("#fit").click()
    page.wait_for_timeout(400)
    titles = page.evaluate(
        "() => [...document.querySelectorAll('.node .title')].map((e) => [e.textContent, Number(e.getAttribute('y')), Number(e.getAttribute('x'))])"
    )
    names = [name for name, *_ in titles]
    assert len(set(names)) == len(names)
    tall = {name: y for name, y, _ in titles}
    for j in range(1, 9):
        ys = [tall[f"layer1.neuron{j}.{p}"] for p in ("weight1", "weight2", "weight3", "weight4", "bias")]
        assert ys == sorted(ys)


@pytest.mark.parametrize(
    ("widths", "width", "height"), [([8, 3], 3000, 5400), ([2, 1], 1000, 1300), ([3, 2], 4000, 1400)]
)
def test_unfolded_neurons_stand_in_frames_of_their_own(opened, widths, width, height):
    """Each with its name and with its cards alone in it; no frame meets another or a card of others, no number a card."""
    page = opened(classifier(widths), width=width, height=height)
    page.locator("#level").select_option("1")
    page.locator("[data-node]", has_text="layer1").dispatch_event("click")
    page.get_by_role("button", name="Unfold").click()
    page.locator("#fit").click()
    measure = """() => {
      const box = (e) => { const b = e.getBBox(); return [b.x, b.y, b.x + b.width, b.y + b.height]; };
      const of = (what) => [...document.querySelectorAll(what)];
      const cards = of(".node").map((e) => [e.querySelector(".title").textContent, box(e.querySelector(".frame"))]);
      return [of(".group").map((e) => [e.textContent, box(e.querySelector("rect"))]), cards,
        of("#graph .edge text").filter((e) => e.textContent).map(box)];
    }"""

    def meet(a, b):
        return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]

    go(page, last(page) - 1)
    page.wait_for_timeout(400)
    frames, cards, _ = page.evaluate(measure)
    assert [name for name, _ in frames] == [f"layer1.neuron{j + 1}" for j in range(widths[0])]
    for i, (name, frame) in enumerate(frames):
        assert not any(meet(frame, other) for _, other in frames[:i])
        for title, card in cards:
            if title.startswith(f"{name}."):
                assert all(outer < inner for outer, inner in zip(frame[:2], card[:2], strict=True))
                assert all(outer > inner for outer, inner in zip(frame[2:], card[2:], strict=True))
            else:
                assert not meet(frame, card)
    numbers = 0
    for step in range(1, last(page), 1 + last(page) // 20):
        go(page, step)
        *_, told = page.evaluate(measure)
        numbers += len(told)
        assert not [
            box for box in told for _, card in cards if meet([box[0] + 1, box[1] + 2, box[2] - 1, box[3] - 2], card)
        ]
    assert numbers > 5


def test_layers_of_several_samples_stand_behind_each_other_when_one_is_unfolded(opened):
    """The folded layer right of the frames of that before it, the losses right of both."""
    mlp = MLP(2, [2, 1], activation="tanh", random_state=0)
    losses = [(mlp([a, b]) - 1.0) ** 2 for a in (0.0, 1.0) for b in (0.0, 1.0)]
    page = opened(losses, width=1700, height=1000)
    page.locator("#level").select_option("1")
    page.locator("[data-node]", has_text="layer1").dispatch_event("click")
    page.get_by_role("button", name="Unfold").click()
    page.locator("#fit").click()
    page.wait_for_timeout(400)
    layer2, mean = (page.locator(".node", has_text=name).last.bounding_box() for name in ("layer2", "mean"))
    right = page.locator(".group rect").evaluate_all(
        "all => Math.max(...all.map((e) => e.getBoundingClientRect().right))"
    )
    assert page.locator(".group").count() == 2
    assert right < layer2["x"]
    assert layer2["x"] + layer2["width"] < mean["x"]


def test_the_whole_graph_stays_whole_when_its_pane_changes_size(opened):
    """After Fit, as the curve takes its room below; not after the reader zoomed."""
    page = opened(classifier())
    inside = """() => {
      const [pane, all] = [document.getElementById("graph").getBoundingClientRect(), [...document.querySelectorAll(".frame")].map((e) => e.getBoundingClientRect())];
      return all.every((b) => b.top >= pane.top && b.bottom <= pane.bottom && b.left >= pane.left && b.right <= pane.right);
    }"""
    page.locator("#fit").click()
    for _ in range(3):
        page.locator("#iterate").click()
    page.wait_for_function(inside)
    for _ in range(3):
        page.locator("#larger").click()
    page.locator("#reset").click()
    page.wait_for_timeout(100)
    assert not page.evaluate(inside)


@pytest.mark.parametrize("width", [1280, 390])
def test_the_curve_of_losses_has_figures_and_goes_back_with_undo(opened, width):
    """Greatest and least loss, 0 and the last iteration, none cut off or on another; an undone iteration leaves it."""
    C, *_ = neuron()
    page = opened(C, learning_rate=0.5, width=width)
    for _ in range(12):
        page.locator("#iterate").click()
    measure = """() => {
      const frame = curve.getBoundingClientRect();
      const all = [...curve.querySelectorAll("text")];
      const boxes = all.map((e) => e.getBoundingClientRect());
      const inside = boxes.every((b) => b.left >= frame.left && b.right <= frame.right && b.top >= frame.top - 3 && b.bottom <= frame.bottom + 3);
      const apart = boxes.every((a, i) => boxes.every((b, k) => i === k || a.right <= b.left || b.right <= a.left || a.bottom <= b.top + 4 || b.bottom <= a.top + 4));
      return [all.map((e) => e.textContent), inside, apart, parseFloat(getComputedStyle(all[0]).fontSize)];
    }"""
    texts, inside, apart, size = page.evaluate(measure)
    now = page.locator("#iterations").inner_text().split(" → ")[1]
    assert texts == [f"{C.data:.3g}", f"{float(now):.3g}", "0", "12"]
    assert (inside, apart, size) == (True, True, 11)
    for _ in range(2):
        page.keyboard.press("Control+z")
    assert page.evaluate(measure)[0][3] == "10"
    assert len(page.locator("#curve polyline").get_attribute("points").split()) == 11
    page.locator("#reset").click()
    assert not page.locator("#curve").is_visible()
    page.keyboard.press("Control+z")
    assert page.evaluate(measure)[0][3] == "10"


@pytest.mark.parametrize(("width", "height"), [(1280, 800), (390, 844)])
def test_it_opens_readable(opened, width, height):
    """No number or title on the graph is smaller than 11 pixels, at any step, until the reader zooms out."""
    z = [Value(float(k), "w") * Value(2.0, "x") for k in range(3)]
    for root in (classifier(), [(each.tanh() - 1.0) ** 2 / 2 for each in z]):
        page = opened(root, width=width, height=height)
        page.emulate_media(reduced_motion="reduce")
        for step in range(0, last(page) + 1, 4):
            go(page, step)
            sizes = page.evaluate(
                """() => [...document.querySelectorAll("#graph .node text:not(.symbol, .held)")].map((e) =>
                  parseFloat(getComputedStyle(e).fontSize) * document.getElementById("graph").getScreenCTM().a)"""
            )
            assert sizes
            assert min(sizes) >= 11


def test_cards_of_several_samples_say_which(opened):
    """Every title but those of shared nodes ends in its sample, and titles stay inside their cards."""
    w = Value(0.5, "w")
    zs = [w * Value(float(k), "x") for k in (1, 2, 3)]
    for z in zs:
        z.label = "z"
    page = opened([(z.tanh() - 1.0) ** 2 / 2 for z in zs])
    page.locator("#fit").click()
    page.wait_for_timeout(400)
    titles = page.locator(".node .title").all_text_contents()
    assert [f"z ⟨{k}⟩" for k in (1, 2, 3)] == sorted(t for t in titles if t.startswith("z"))
    assert {t for t in titles if "⟨" not in t} <= {"w", "mean"}
    assert page.evaluate("""() => [...document.querySelectorAll(".node")].every((card) => {
      const [a, b] = [card.querySelector(".title"), card.querySelector(".frame:not(.under)")].map((e) => e.getBoundingClientRect());
      return a.left >= b.left && a.right <= b.right;
    })""")


def test_a_folder_that_takes_no_file_is_told_in_words():
    """Not the bare words of the operating system."""
    with pytest.raises(OSError, match="the folder must let a file be written; choose another, got"):
        stepper(Value(1.0, "x") * 2.0, "/proc/walk.html")


def test_leaves_are_listed_layer_by_layer(opened):
    """Inputs, then each neuron's weights and its bias."""
    C = classifier()
    page = opened(C)
    page.locator("#level").select_option("-1")
    names = page.locator("#panel .terms button").evaluate_all("all => all.map(e => e.ariaLabel)")
    labels = [name for name in names if name.startswith("layer")]
    assert labels == [
        f"layer{l}.neuron{j}.{p}"
        for l, m, n in ((1, 8, 4), (2, 3, 8))
        for j in range(1, m + 1)
        for p in [*(f"weight{i}" for i in range(1, n + 1)), "bias"]
    ]
