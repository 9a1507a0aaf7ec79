"""`check_exercise` grades whatever is handed in, with hints as data and as text, and never a traceback of ours."""

import numpy as np
import pytest

from autodiff import Value
from autodiff.testing import WrongDerivativeError, check_exercise, gradcheck

W = np.arange(1.0, 7.0).reshape(2, 3)


def test_an_assignment_is_marked_part_by_part():
    """Right parts, wrong ones with what the numbers show, and the score."""
    truth = {"dW": W, "db": np.array([2.0, -1.0]), "delta": 0.25, "slope": 0.5}
    grade = check_exercise({"dW": 3.0 * W, "db": [2.0, -1.0], "delta": -0.25, "slope": 0.7}, truth | {"other": 0.7})
    assert [mark.right for mark in grade.marks] == [False, True, False, False, False]
    assert grade.score == 0.2
    assert not grade.passed
    assert [mark.hints[0].kind if mark.hints else "" for mark in grade.marks] == ["factor", "", "sign", "another", ""]
    assert grade.marks[3].said == "this is the answer to other"
    assert grade.marks[4].said == "nothing was given yet"
    assert str(grade).splitlines()[0].startswith("✗ dW: 3 times the right one in every entry")
    assert str(grade).splitlines()[1] == "✓ db: right"
    assert str(grade).splitlines()[-1] == "1 of 5 are right"
    assert check_exercise(truth, truth).passed


@pytest.mark.parametrize(
    ("answer", "truth", "english", "spanish"),
    [
        ("0.5", 0.5, "write the number without quotes", "sin comillas"),
        ("w", 0.5, "this is text, 'w', and a number", "esto es texto, 'w', y se pide un número"),
        (b"\xff", 0.5, "this is text", "esto es texto"),
        (["a", "b"], [1.0, 2.0], "this is text", "esto es texto"),
        (None, 0.5, "nothing was given", "todavía no hay respuesta"),
        (..., 0.5, "nothing was given", "todavía no hay respuesta"),
        (float("nan"), 0.5, "a NaN or an infinity", "un NaN o un infinito"),
        ([1.0, np.inf], [1.0, 2.0], "a NaN or an infinity", "un NaN o un infinito"),
        (1j, 0.5, "a real number is asked for", "se pide un número real"),
        (W.T, W, r"its shape is (3, 2), and (2, 3) is asked for: transpose it", "transponla"),
        (W.ravel(), W, "its shape is (6,), and (2, 3) is asked for", "su forma es (6,)"),
        ([1.0, 2.0, 3.0], [1.0, 2.0], "its shape is (3,)", "su forma es (3,)"),
        (object(), 0.5, "of type object, cannot be read", "de tipo object"),
        ([[1.0], [2.0, 3.0]], W, "cannot be read as numbers", "no se puede leer"),
        (lambda: 1 / 0, 0.5, "the function stopped with ZeroDivisionError", "la función se detuvo con"),
        (lambda x: x, 0.5, "the function stopped with TypeError", "la función se detuvo con"),
        ({"a": 1.0}, 0.5, "cannot be read as numbers", "no se puede leer"),
        (0.5001, 0.5, "right to 3 digits: give more", "correcto hasta 3 dígitos"),
        (17.0, 0.5, "not yet right", "todavía no es correcto"),
    ],
)  # fmt: skip
def test_whatever_is_handed_in_gets_a_friendly_sentence(answer, truth, english, spanish):
    """In the language asked for, as the only mark."""
    for language, said in (("en", english), ("es", spanish)):
        grade = check_exercise(answer, truth, language=language)
        assert not grade.passed
        assert len(grade.marks) == 1
        assert said in grade.marks[0].said


class Hostile:
    """An answer that raises at every touch."""

    def __getattribute__(self, name):
        raise RuntimeError("no")

    def __array__(self, *_):
        raise RuntimeError("no")


def test_an_answer_that_raises_at_every_touch_is_told_kindly():
    """Nothing that is handed in raises."""
    for truth in (0.5, W, {"a": 1.0, "b": W}):
        assert not check_exercise(Hostile(), truth).passed


def test_values_are_read_by_their_number_and_told_apart():
    """A node for its grad, a node of another graph, a node that is right."""
    x = Value(3.0)
    y = x * x
    y.backward()
    assert "its .grad is asked for" in str(check_exercise(x, 6.0))
    assert check_exercise(x.grad, 6.0).passed
    assert check_exercise([x, y], [3.0, 9.0]).passed
    assert "its number, 9, is compared" in str(check_exercise(y, 9.0))
    assert "of another graph" in str(check_exercise(Value(9.0), y))
    assert check_exercise(y, y).passed


def test_functions_are_called_where_they_are_asked():
    """Both at the same arguments; one function may give a whole assignment."""
    assert check_exercise(lambda x: 3.0 * x * x, lambda x: 3.0 * x**2, at=(2.0,)).passed
    assert "2 times" in str(check_exercise(lambda x: 2.0 * np.cos(x), lambda x: np.cos(x), at=(np.arange(3.0),)))
    assert check_exercise(lambda: {"w": 1.0, "b": [2.0]}, {"w": 1.0, "b": [2.0]}).passed
    raised = check_exercise(lambda: {}["w"], {"w": 1.0, "b": 2.0})
    assert {mark.said for mark in raised.marks} == {"the function stopped with KeyError: 'w'"}


def test_the_teacher_s_hints_are_told_with_what_the_numbers_show():
    """For a wrong answer that is known, in both languages; or for any."""
    hints = {
        "dw": [(0.75, {"en": "the slope is missing", "es": "falta la pendiente"}), (1.5, "twice too much")],
        "db": "look at the sum again",
    }
    truth = {"dw": 0.1, "db": 1.0}
    assert "the slope is missing" in str(check_exercise({"dw": 0.75, "db": 1.0}, truth, hints=hints))
    assert "falta la pendiente" in str(check_exercise({"dw": 0.75, "db": 1.0}, truth, hints=hints, language="es"))
    wrong = check_exercise({"dw": 0.2, "db": 5.0}, truth, hints=hints)
    assert "the slope" not in wrong.marks[0].said
    assert wrong.marks[1].said == "look at the sum again"


def test_names_go_with_the_parts_of_a_sequence():
    """δ by layer, each an array of its own."""
    grade = check_exercise([[0.1, 0.2], [0.3]], [[0.1, -0.2], [0.3]], names=("δ1", "δ2"))
    assert [(mark.name, mark.right) for mark in grade.marks] == [("δ1", False), ("δ2", True)]
    assert check_exercise(1.0, 1.0, names="z").marks[0].name == "z"


def test_what_the_teacher_gives_is_checked_at_once():
    """Languages and names; a truth that is no number raises."""
    with pytest.raises(ValueError, match="language must be one of en, es, got 'fr'"):
        check_exercise(1.0, 1.0, language="fr")
    with pytest.raises(ValueError, match="names must be as many as the parts of truth, got 2"):
        check_exercise([1.0], [1.0], names=("a", "b"))
    with pytest.raises(TypeError):
        check_exercise(1.0, "one")
    with pytest.raises(TypeError, match="truth must be numbers, got None"):
        check_exercise(1.0, None)
    with pytest.raises(TypeError, match="truth must be numbers, got no part"):
        check_exercise({"w": 1.0}, {})
    with pytest.raises(ValueError, match="truth must be finite, got a NaN or an infinity"):
        check_exercise({"w": 1.0}, {"w": np.nan})
    with pytest.raises(ValueError, match="rtol must be a number from 0 up, got -1"):
        check_exercise(1.0, 1.0, rtol=-1)


def test_a_parameter_of_pytorch_is_read_by_its_numbers():
    """A leaf that requires gradients, which NumPy itself refuses to read."""
    torch = pytest.importorskip("torch")
    assert check_exercise(torch.tensor([1.0, 2.0], requires_grad=True), np.array([1.0, 2.0])).passed
    assert not check_exercise(torch.tensor([1.0, 3.0], requires_grad=True), np.array([1.0, 2.0])).passed


def test_two_reasons_for_a_factor_are_alternatives():
    """At x = 2 a half is a lost square or a lost x: the sentence offers both, in either language."""
    assert "or a ½ is one too many, or the factor x is missing" in str(_half_of_a_cube("en"))
    assert "o sobra un ½, o bien falta el factor x" in str(_half_of_a_cube("es"))


def _half_of_a_cube(language):
    with pytest.raises(WrongDerivativeError) as caught:
        gradcheck(lambda x: x**3, 2.0, gradient=lambda x: 3.0 * x)
    return caught.value.diagnosis.text(language)


def test_a_tolerance_may_be_given():
    """For answers that are typed by hand."""
    assert check_exercise(-0.177, -0.17744691734927373, rtol=1e-2).passed
    assert not check_exercise(-0.177, -0.17744691734927373).passed


def test_a_part_under_another_name_is_not_called_missing():
    """A typo of a key, a list for a dict: the student reads what was handed in instead, and what is to come stays quiet."""
    truth = {"dW": 1.0, "db": 2.0}
    assert check_exercise({"dw": 1.0, "db": 2.0}, truth).marks[0].said == "the answer has no dW: it has dw"
    assert check_exercise([1.0, 2.0], truth).marks[1].said == "the answer has no db: it is of type list"
    assert check_exercise({"db": 2.0}, truth).marks[0].said == "nothing was given yet"
    nested = check_exercise({"net": {"W": 1.0}}, {"net": {"w": 1.0}}, language="es")
    assert "no tiene" in nested.marks[0].said
    assert "W" in nested.marks[0].said


@pytest.mark.parametrize(
    ("options", "error", "said"),
    [
        ({"hints": True}, TypeError, "hints must be a dict of wrong answers, by the name of a part, got True"),
        ({"hints": {"dw": "think"}}, ValueError, "hints must be for parts of truth \\(dW\\), got 'dw'"),
        ({"at": 2.0}, TypeError, r"at must be a tuple of the arguments, got 2.0; for one of them write at=\(2.0,\)"),
        ({"truth": lambda x: 2.0 * x}, TypeError, "truth is a function, and at gives its arguments: .* got none"),
        ({"truth": {"dW": True}}, TypeError, "truth must be numbers, got a bool"),
    ],
)
def test_what_a_teacher_mistypes_is_refused(options, error, said):
    """Before any answer is graded by it."""
    with pytest.raises(error, match=said):
        check_exercise({"dW": 1.0}, **{"truth": {"dW": 1.0}, **options})


def test_one_wrong_number_is_not_called_clipped():
    """3 for 4 is one wrong number; two that stop at 3 are clipped."""
    assert "clipped" not in str(check_exercise([1.0, 2.0, 3.0], np.array([1.0, 2.0, 4.0])))
    assert "clipped at 3" in str(check_exercise([1.0, 3.0, 3.0], np.array([1.0, 5.0, 4.0])))


def test_an_answer_of_another_kind_is_named_as_one():
    """A list for a dict: its type is told as a type, in both languages."""
    assert "the answer has no a: it is of type list" in str(check_exercise([0.1, -0.2], {"a": 0.1, "b": -0.2}))
    assert "es de tipo list" in str(check_exercise([0.1, -0.2], {"a": 0.1, "b": -0.2}, language="es"))


@pytest.mark.parametrize(
    ("answer", "truth", "english", "spanish"),
    [
        ([1, 2, 3], [1.0, 2.0, 4.0], "not right yet in 1 of 3 numbers: [2]", "todavía no en 1 de 3 números: [2]"),
        (np.ones((2, 2)), np.array([[1.0, 1.3], [0.2, 1.0]]), "in 2 of 4 numbers: [0, 1], [1, 0]", "[0, 1], [1, 0]"),
        (0.33, 1.0 / 3.0, "right, but rounded (digits given: 2)", "correcto, pero redondeado (cifras dadas: 2)"),
        ([0.5, 0.66], [0.5, 2.0 / 3.0], "rounded (digits given: 2): what is within 1e-06", "menos de 1e-06"),
        ([0.33, 0.7143], [1.0 / 3.0, 5.0 / 7.0], "(digits given: 2)", "(cifras dadas: 2)"),
        (2, 2.3, "not yet right", "todavía no"),
        (True, 1.0, "this is True or False, and a number is asked for", "esto es True o False"),
        ([True, 2.0], [1.0, 2.0], "this is True or False", "esto es True o False"),
        (np.array([True]), [1.0], "this is True or False", "esto es True o False"),
    ],
)
def test_it_is_told_which_number_and_what_of_it(answer, truth, english, spanish):
    """Which entries are wrong, that rounding is all that is, and that a bool is no number."""
    for language, said in (("en", english), ("es", spanish)):
        grade = check_exercise(answer, truth, language=language)
        assert not grade.passed
        assert said in grade.marks[0].said


def test_a_surplus_part_is_told():
    """It costs nothing, and it is not passed over in silence."""
    grade = check_exercise({"dw": 1.0, "db": 2.0}, {"dw": 1.0})
    assert (grade.passed, grade.surplus) == (True, ("db",))
    assert str(grade).splitlines()[-1] == "· db: this is not asked for"
    assert check_exercise([1.0, 2.0, 3.0], [1.0, 2.0], names=["a", "b"]).surplus == ("[2]",)
    nested = check_exercise({"W": {"a": 1.0, "c": 2.0}}, {"W": {"a": 1.0}}, language="es")
    assert str(nested).splitlines()[-1] == "· W['c']: esto no se pide"
