"""Copies and pickles of graphs keep values, gradients, labels and sharing, at any depth."""

import copy
import io
import itertools
import pickle
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from work import steps

import autodiff
from autodiff import OPS, Op, Value


def graph():
    x, w = Value(2.0, "x"), Value(3.0, "w")
    a = x * w
    a.label = "a"
    b = autodiff.weighted_sum([a, x], [w, 4], a) + autodiff.exp(x) - 1
    return x, w, a, b


def through_pickle(thing):
    return pickle.loads(pickle.dumps(thing))


def through_python_pickle(thing):
    buffer = io.BytesIO()
    pickle._Pickler(buffer).dump(thing)  # the one that others build on
    return pickle.loads(buffer.getvalue())


WAYS = [copy.deepcopy, through_pickle, through_python_pickle]


@pytest.mark.parametrize("way", WAYS, ids=lambda w: w.__name__)
def test_a_copy_computes_the_same_gradients_and_shares_what_was_shared(way):
    """One structure with root, inner node and leaves comes back with the same links, apart from the original."""
    x, w, a, b = graph()
    b.backward()
    x2, w2, a2, b2 = way((x, w, a, b))
    assert (x2.label, w2.label, a2.label) == ("x", "w", "a")
    assert (b2.data, x2.grad, a2.grad) == (b.data, x.grad, a.grad)
    assert a2.operands == (x2, w2)
    assert a2.operands[0] is x2
    assert a2.op is OPS["mul"]
    assert x2 is not x
    before = x.grad
    x2.grad = w2.grad = 0.0
    b2.backward()
    assert x2.grad == before
    assert x.grad == before


@pytest.mark.parametrize("way", [*WAYS, copy.copy], ids=lambda w: w.__name__)
def test_not_yet_swept_stays_so(way):
    """A copy of an unswept node is unswept, of a swept one swept."""
    x = Value(2.0)
    assert not way(x).swept
    (x * 0.0).backward()
    assert way(x).swept


def test_a_shallow_copy_shares_operands_and_has_its_own_grad():
    """copy.copy(y) is another consumer of the same operands."""
    x = Value(2.0, "x")
    y = x * x
    z = copy.copy(y)
    z.backward()
    assert z.operands[0] is x
    assert x.grad == 4.0
    assert not y.swept


@pytest.mark.parametrize("way", WAYS[:2], ids=lambda w: w.__name__)
def test_a_deep_chain_is_copied(way):
    """No recursion: on a stack of 512 KB, where 32 bytes for each of so many nodes would overflow it."""
    x = Value(1.0, "x")
    y = x
    for _ in range(30_000):
        y = y + 1e-6
    before = threading.stack_size(512 * 1024)
    try:
        with ThreadPoolExecutor(1) as pool:
            x2, y2 = pool.submit(way, (x, y)).result()
    finally:
        threading.stack_size(before)
    y2.backward()
    assert x2.grad == 1.0
    assert not x.swept


def test_a_gradient_that_is_a_value_is_kept_as_its_number():
    """It refers back to the graph; the copy has its number."""
    x = Value(3.0)
    (x * x).backward(create_graph=True)
    assert type(through_pickle(x).grad) is float
    assert copy.deepcopy(x).grad == 6.0


class Named(Value):
    pass


def test_a_users_subclass_keeps_its_attributes():
    """Attributes that a subclass adds to a leaf are kept."""
    x = Named(2.0, "x")
    x.unit = ["kg"]
    assert isinstance(x * 2, Value)
    for way in (copy.deepcopy, through_pickle, copy.copy):
        again = way(x)
        assert type(again) is Named
        assert again.unit == ["kg"]
    assert copy.deepcopy(x).unit is not x.unit
    (x * 2).backward()
    assert x.grad == 2.0


class Slotted(Value):
    __slots__ = ("unit",)


def test_slots_and_attributes_that_point_back_survive():
    """A subclass's slots are kept, and an attribute that refers to the graph refers to the copy."""
    for way in (copy.deepcopy, through_pickle, copy.copy):
        x = Slotted(2.0)
        x.unit = "kg"
        assert way(x).unit == "kg"
    w = Named(1.0)
    w.me = w
    w.last = w * 2
    again = copy.deepcopy(w)
    assert again.me is again
    assert again.last.operands[0] is again
    assert copy.deepcopy(w.last).operands[0].last.data == 2.0


def square(a):
    return a * a


def slope(a, r):
    return 2 * a


def test_a_users_operation_is_pickled_by_its_functions():
    """Rows of the table come back as themselves, others by reference to module-level functions."""
    op = Op("square", "²", square, partials=(slope,))
    y = op(Value(3.0))
    again = through_pickle(y)
    again.backward()
    assert again.operands[0].grad == 6.0
    assert through_pickle(OPS["exp"]) is OPS["exp"]
    assert copy.deepcopy(OPS["exp"]) is OPS["exp"]


def test_a_chain_deeper_than_pythons_stack_is_copied():
    """Ten thousand nodes down, as deepcopy alone could not."""
    root = x = Value(1.0, "x")
    for _ in range(10_000):
        root = root + 1.0
    twin = copy.deepcopy(root)
    twin.backward()
    assert (twin.data, x.grad, root.swept) == (10_001.0, 0.0, False)


def test_several_nodes_of_one_graph_are_pickled_once():
    """A list of states, each computed from the one before, takes hardly more room than the last one alone."""
    states = [Value(0.5)]
    for _ in range(2000):
        states.append(states[-1].tanh())
    alone = len(pickle.dumps(states[-1]))
    for together in (states, states[::-1], dict(enumerate(states)), tuple(states)):
        assert len(pickle.dumps(together)) < 1.2 * alone
    for way in WAYS:
        again = way(states)
        assert all(y.operands[0] is x for x, y in itertools.pairwise(again))


def test_a_list_of_nodes_is_copied_in_time_that_grows_with_its_length():
    """The nodes that were copied already are not walked over again."""

    def work(n):
        states = [Value(0.5)]
        for _ in range(n):
            states.append(states[-1].tanh())
        return steps(lambda: copy.deepcopy(states)), steps(lambda: pickle.dumps(states))

    for small, large in zip(work(20), work(200), strict=True):
        assert large < 15 * small


def test_a_deep_graph_in_an_attribute_is_handed_over_too():
    """It is no ancestor of the node that has the attribute."""
    leaf, deep = Tagged(2.0), Value(1.0)
    for _ in range(5000):
        deep = deep + 1.0
    leaf.note = deep
    for way in WAYS:
        assert way(Value(3.0) * leaf).operands[1].note.data == 5001.0


class Tagged(Value):
    """A Value to which anything can be attached."""
