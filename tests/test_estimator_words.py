"""What users of scikit-learn and Keras write, answered in their words; networks back into estimators; memory."""

import inspect
import tomllib
import tracemalloc
import warnings
from importlib import resources

import numpy as np
import pytest

from models import MLP, LinearRegression, MLPClassifier, MLPRegressor, Neuron, Perceptron, SettingError
from models.activations import ACTIVATIONS
from models.datasets import moons
from models.losses import LOSSES
from models.optimizers import OPTIMIZERS
from models.plots import decision_regions
from models.training import train

pytestmark = pytest.mark.filterwarnings("ignore:.*took all max_iter")

X = np.random.default_rng(0).normal(size=(40, 3))
Y = (X[:, 0] > 0).astype(int)
SMALL = {"hidden_layer_sizes": (4,), "activation": "tanh", "max_iter": 5, "random_state": 0}


class Mine(MLPClassifier):
    """A subclass as users write them."""

    def __init__(self, width=4, **kw):
        super().__init__(hidden_layer_sizes=(width,), **kw)
        self.width = width


@pytest.mark.parametrize(
    ("kind", "name", "meant"),
    [
        (MLPClassifier, "learning_rate_init", "learning_rate"),
        (MLPClassifier, "lr", "learning_rate"),
        (MLPClassifier, "hidden_units", "hidden_layer_sizes"),
        (MLPRegressor, "epochs", "max_iter"),
        (MLPRegressor, "optimizer", "solver"),
        (MLPRegressor, "lerning_rate", "learning_rate"),
        (MLPRegressor, "weight_decay", "alpha"),
        (Perceptron, "eta0", "learning_rate"),
        (Perceptron, "epochs", "max_iter"),
        (LinearRegression, "max_iter", "epochs"),
        (LinearRegression, "steps", "epochs"),
        (Perceptron, "Epochs", "max_iter"),
        (Perceptron, "max_passes", "max_iter"),
        (MLPClassifier, "n_hidden", "hidden_layer_sizes"),
        (MLPRegressor, "nb_epoch", "max_iter"),
        (MLPRegressor, "batch", "batch_size"),
        (Mine, "lr", "learning_rate"),
    ],
)
def test_an_unknown_setting_names_the_users_class_and_what_was_meant(kind, name, meant):
    """By the names of scikit-learn, Keras and PyTorch, or by likeness; of set_params too."""
    with pytest.raises(TypeError, match=f"^{kind.__name__} has no setting '{name}'; did you mean {meant}\\?$"):
        kind(**{name: 1})
    if kind is not Mine:  # whose own settings are those it names
        with pytest.raises(ValueError, match=f"Invalid parameter '{name}' for .*did you mean {meant}"):
            kind().set_params(**{name: 1})


def test_what_others_call_by_another_name_exists_here():
    """Every name on the left of the table is a setting of an estimator, or a value that one takes."""
    tables = tomllib.loads(resources.files("models").joinpath("data", "elsewhere.toml").read_text(encoding="utf-8"))
    kinds = MLPClassifier, MLPRegressor, LinearRegression, Perceptron
    assert set(tables["settings"]) <= {name for kind in kinds for name in kind().get_params()} | set(
        inspect.signature(train).parameters
    )
    assert set(tables["values"]) <= {*OPTIMIZERS, *ACTIVATIONS, *LOSSES, "lstsq"}


def test_a_setting_like_no_other_gets_the_list():
    """Where nothing is near, all that there are."""
    with pytest.raises(
        TypeError, match=r"^Perceptron has no setting 'zzz'; it must be one of learning_rate, max_iter, "
    ):
        Perceptron(zzz=1)
    with pytest.raises(TypeError, match=r"MLPClassifier takes its settings by keyword, got 1 positional arguments"):
        MLPClassifier((4,))


def test_a_subclass_with_more_keywords_is_shown_copied_and_cloned():
    """repr and get_params name what its own __init__ names, as scikit-learn's base class has it."""
    model = Mine(width=7, max_iter=3)
    assert repr(model) == "Mine(width=7)"
    assert model.get_params() == {"width": 7}
    assert model.set_params(width=5).width == 5
    assert model.max_iter == 3
    sklearn = pytest.importorskip("sklearn", reason="scikit-learn is a development dependency")
    assert sklearn.base.clone(model).width == 5
    assert model.fit(X, Y).predict(X).shape == (40,)


@pytest.mark.parametrize("schedule", ["adaptive", "constant", "invscaling"])
@pytest.mark.parametrize("kind", [MLPClassifier, MLPRegressor])
def test_schedules_by_name_are_pointed_to_ours(kind, schedule):
    """scikit-learn's learning_rate is a name; here it is a number or a schedule."""
    with pytest.raises(SettingError, match=f"or a schedule, got '{schedule}'; models.schedules makes some"):
        kind(learning_rate=schedule).fit(X, Y)


@pytest.mark.parametrize("kind", [MLPClassifier, MLPRegressor, Perceptron])
def test_the_module_of_random_numbers_is_no_generator(kind):
    """np.random as random_state is refused in words, before anything is copied."""
    with pytest.raises(SettingError, match=r"got module numpy.random; numpy.random.default_rng\(seed\) makes a gener"):
        kind(random_state=np.random).fit(X, Y)


@pytest.mark.parametrize("kind", [MLPClassifier, Perceptron])
@pytest.mark.parametrize(
    ("y", "way"),
    [
        (np.eye(2)[Y], r"its rows are one-hot, pass the index of each class, y.argmax\(axis=1\)"),
        (np.eye(2)[Y].astype(bool), r"y.argmax\(axis=1\)"),
        (np.ones((40, 3)), r"one classifier per column: sklearn.multiclass.OneVsRestClassifier"),
        (np.array([[0, 0]] * 40), "OneVsRestClassifier"),
    ],
)
def test_one_hot_and_multilabel_targets_are_shown_the_way(kind, y, way):
    """The message says what to write instead."""
    with pytest.raises(ValueError, match=f"should be a 1d array .*{way}"):
        kind().fit(X, y)


@pytest.mark.parametrize("kind", [MLPClassifier, Perceptron])
def test_several_labels_as_lists_are_shown_the_way(kind):
    """Lists of different lengths, tuples and sets of labels: scikit-learn's two names are given."""
    ragged = [["a"], ["a", "b"], []] * 13 + [["b"]]
    for y in (ragged, [set(each) for each in ragged], [tuple(each) for each in ragged], [{1}] * 40):
        with pytest.raises(ValueError, match=r"several labels per sample, .*MultiLabelBinarizer .*OneVsRestClassifier"):
            kind().fit(X, y)
        with pytest.raises(ValueError, match="MultiLabelBinarizer"):
            kind().fit(X, np.array(y, dtype=object))


def test_words_of_others_are_answered_with_ours():
    """Keywords of `train`, abbreviations, capitals, and what there is not at all."""
    for keyword, own in {"lr": "learning_rate", "n_epochs": "epochs", "seed": "random_state", "batchsize": "batch_size",
                         "verbose": "progress", "solver": "optimizer"}.items():  # fmt: skip
        with pytest.raises(TypeError, match=f"train has no setting '{keyword}'; did you mean {own}"):
            train(MLP(3, [1]), X, Y, **{keyword: 1})
    for value, own in {"bce": "binary_cross_entropy", "MSE": "squared_error", "Huber": "huber"}.items():
        with pytest.raises(ValueError, match=f"loss must be one of .*, got '{value}'; did you mean '{own}'"):
            train(MLP(3, [1]), X, Y, loss=value)
    for value, own in {"Relu": "relu", "sigmoid ": "sigmoid", "Logistic": "sigmoid"}.items():
        with pytest.raises(ValueError, match=f"activation must be one of .*, got '{value}'; did you mean '{own}'"):
            MLP(3, [2, 1], activation=value)
    with pytest.raises(TypeError, match=r"no setting 'fit_intercept'; the intercept is always fitted; .*bias=False"):
        LinearRegression(fit_intercept=False)


@pytest.mark.parametrize("kind", [MLPClassifier, MLPRegressor, Perceptron, LinearRegression])
def test_sparse_data_are_refused_with_the_way_to_dense_ones(kind):
    """Inputs and targets, matrices and arrays of SciPy."""
    sparse = pytest.importorskip("scipy.sparse", reason="SciPy is a development dependency")
    for make in (sparse.csr_matrix, sparse.coo_array):
        with pytest.raises(TypeError, match=r"Sparse data was passed for X, .* use X.toarray\(\)"):
            kind().fit(make(X), Y)
        with pytest.raises(TypeError, match=r"Sparse data was passed for y, .* use y.toarray\(\)"):
            kind().fit(X, make(np.eye(2)[Y]))


def test_class_weights_are_sample_weights():
    """A mapping, and "balanced" as scikit-learn's own function counts it."""
    y = np.repeat([0, 1, 2], [25, 10, 5])
    utils = pytest.importorskip("sklearn.utils.class_weight", reason="scikit-learn is a development dependency")
    for given in ("balanced", {0: 1.0, 1: 2.0, 2: 0.5}):
        weights = utils.compute_sample_weight(given, y)
        by_class = MLPClassifier(**SMALL, class_weight=given).fit(X, y)
        by_sample = MLPClassifier(**SMALL).fit(X, y, sample_weight=weights)
        np.testing.assert_allclose(by_class.predict_proba(X), by_sample.predict_proba(X), rtol=1e-10)
    with pytest.raises(ValueError, match=r"class_weight must name classes of y, \[0, 1, 2\], got 7"):
        MLPClassifier(class_weight={7: 1.0}).fit(X, y)
    with pytest.raises(ValueError, match="class_weight of 0 must be a finite number, 0 or more, got -1"):
        MLPClassifier(class_weight={0: -1}).fit(X, y)
    with pytest.raises(SettingError, match='class_weight must be None, "balanced" or a dict'):
        MLPClassifier(class_weight=[1, 2]).fit(X, y)


def test_class_weights_of_a_perceptron_are_sample_weights():
    """As for the networks; a class of weight 0 is left out."""
    y = np.repeat([0, 1, 2], [25, 10, 5])
    utils = pytest.importorskip("sklearn.utils.class_weight", reason="scikit-learn is a development dependency")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for given in ("balanced", {0: 1.0, 1: 2.0, 2: 0.5}, {2: 0}):
            settings = {"max_iter": 20, "random_state": 0}
            by_class = Perceptron(**settings, class_weight=given).partial_fit(X, y, [0, 1, 2])
            by_sample = Perceptron(**settings).partial_fit(X, y, [0, 1, 2], utils.compute_sample_weight(given, y))
            np.testing.assert_allclose(by_class.coef_, by_sample.coef_, rtol=1e-9)
    with pytest.raises(SettingError, match='class_weight must be None, "balanced" or a dict'):
        Perceptron(class_weight=3).fit(X, y)


@pytest.mark.parametrize(
    ("settings", "meant"),
    [({"solver": "sgd"}, "gd"), ({"solver": "lbfgs"}, "adam"), ({"activation": "logistic"}, "sigmoid"),
     ({"activation": "identity"}, "linear"), ({"loss": "mse"}, "squared_error"), ({"loss": "mae"}, "absolute_error")],
)  # fmt: skip
def test_values_by_the_names_of_others_are_pointed_to_ours(settings, meant):
    """scikit-learn's and Keras' names of solvers, activations and losses; what is like nothing gets the list alone."""
    with pytest.raises(ValueError, match=rf"must be one of .*, got .*; did you mean '{meant}'\?"):
        MLPRegressor(**settings).fit(X, Y)
    with pytest.raises(ValueError, match=r"solver must be one of [a-z, ]*, got 'zzz'$"):
        MLPRegressor(solver="zzz").fit(X, Y)
    with pytest.raises(TypeError, match="LinearRegression has no setting 'random_state'; it must be one of"):
        LinearRegression(random_state=0)


@pytest.mark.parametrize("several", [False, True])
def test_a_target_that_is_constant_is_predicted(several):
    """Alone to a hundredth of the inputs' spread; beside another, which keeps its own unit, as well as that allows."""
    y = np.full(40, 1e6)
    y = np.column_stack([y, X[:, 0] * 1e-3]) if several else y
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = MLPRegressor(random_state=0).fit(X, y)
    constant = model.predict(X)[:, 0] if several else model.predict(X)
    np.testing.assert_allclose(constant, 1e6, rtol=0, atol=1e-3 if several else 0.2)
    if several:
        assert np.corrcoef(model.predict(X)[:, 1], X[:, 0])[0, 1] > 0.99


@pytest.mark.parametrize("unit", [1e-200, 1e160])
def test_targets_whose_squares_are_no_floats_are_refused_and_scored(unit):
    """In words, before training; R² of such numbers is that of the same in another unit."""
    with pytest.raises(ValueError, match=r"the deviation of y must have a square that floats can hold, got .*scale y"):
        MLPRegressor(random_state=0).fit(X, X[:, 0] * unit)
    line = LinearRegression(solver="lstsq").fit(X, X[:, 0] + X[:, 1] ** 2)
    score = line.score(X, X[:, 0] + X[:, 1] ** 2)
    line.coef_, line.intercept_ = line.coef_ * unit, line.intercept_ * unit
    y = X[:, 0] + X[:, 1] ** 2
    assert line.score(X, y * unit) == pytest.approx(score, rel=1e-12)
    two = LinearRegression(solver="lstsq").fit(X, np.column_stack([y, y]))
    two.coef_, two.intercept_ = two.coef_ * [[1.0], [unit]], two.intercept_ * [1.0, unit]
    assert two.score(X, np.column_stack([y, y * unit])) == pytest.approx(score, rel=1e-12)


@pytest.mark.parametrize("kind", [MLPClassifier, MLPRegressor, Perceptron, LinearRegression])
def test_a_file_that_is_no_path_is_named(kind):
    """An int would be a file descriptor elsewhere."""
    for call in (lambda: kind().fit(X, Y, checkpoint=3), lambda: kind().fit(X, Y).save(3), lambda: kind.load(3)):
        with pytest.raises(TypeError, match="a file must be named by text or a path, got int 3"):
            call()


@pytest.mark.parametrize("outputs", [1, 3])
def test_a_network_becomes_a_classifier_and_trains_on(outputs):
    """Probabilities are the sigmoid or softmax of its outputs, by NumPy; settings decide how it trains on."""
    net = MLP(3, [5, outputs], activation="tanh", random_state=0)
    model = MLPClassifier.from_network(net, warm_start=True, max_iter=30)
    logits = np.array([np.ravel([a.data for a in np.ravel(net(row))]) for row in X])
    powers = np.exp(np.hstack([np.zeros((40, 1)), logits]) if outputs == 1 else logits)
    np.testing.assert_allclose(model.predict_proba(X), powers / powers.sum(axis=1, keepdims=True), rtol=1e-12)
    assert model.hidden_layer_sizes == (5,)
    assert model.activation == "tanh"
    y = Y if outputs == 1 else np.arange(40) % 3
    before = model.predict_proba(X)[np.arange(40), y]
    model.fit(X, y)
    assert np.log(model.predict_proba(X)[np.arange(40), y]).mean() > np.log(before).mean()
    back = model.network()
    np.testing.assert_allclose(np.ravel([a.data for a in np.ravel(back(X[0]))]),
                               np.ravel(model.decision_function(X[:1])), rtol=1e-10)  # fmt: skip


def test_a_network_becomes_a_regressor_and_partial_fit_goes_on():
    """Predictions are its outputs; the network itself is not changed."""
    net = MLP(3, [4, 2], random_state=1)
    model = MLPRegressor.from_network(net, learning_rate=0.01)
    expected = [[a.data for a in net(row)] for row in X]
    np.testing.assert_allclose(model.predict(X), expected, rtol=1e-12)
    assert model.partial_fit(X, X[:, :2]).n_iter_ == 1
    assert [[a.data for a in net(row)] for row in X] == expected


def test_networks_that_are_no_estimator_are_refused():
    """Outputs must be linear, classes sorted and as many as outputs."""
    with pytest.raises(ValueError, match="outputs of the network must be linear, got sigmoid; make it with output_act"):
        MLPClassifier.from_network(MLP(3, [1], output_activation="sigmoid"))
    with pytest.raises(ValueError, match=r"classes must be sorted, one for each of 2, got \['b', 'a'\]"):
        MLPClassifier.from_network(MLP(3, [1]), classes=["b", "a"])
    with pytest.raises(ValueError, match=r"classes must be sorted, one for each of 3, got \[0, 1\]"):
        MLPClassifier.from_network(MLP(3, [3]), classes=[0, 1])
    with pytest.raises(TypeError, match="MLPRegressor has no setting 'lr'; did you mean learning_rate"):
        MLPRegressor.from_network(MLP(3, [3]), lr=1)
    with pytest.raises(TypeError, match="hidden_layer_sizes must be left out, the network has its own"):
        MLPRegressor.from_network(MLP(3, [3]), hidden_layer_sizes=(3,))
    for kind in (MLPClassifier, MLPRegressor):
        with pytest.raises(TypeError, match=r"network must be a models\.mlp\.MLP, got MLPClassifier MLPClassifier"):
            kind.from_network(MLPClassifier())


@pytest.mark.parametrize(
    "network",
    [MLP(2, [4, 1], random_state=0), MLP(2, [4, 2], random_state=0), Neuron(2, "sigmoid", random_state=0),
     MLP(2, [3, 1], output_activation="sigmoid", random_state=0)],
    ids=repr,
)  # fmt: skip
def test_decision_regions_of_a_network_of_values(network):
    """One output above 0 (after a sigmoid above one half) is the second class; of several the largest."""
    pytest.importorskip("matplotlib", reason="plots are an extra")
    data = moons(40, random_state=0)
    drawn = []
    low, high = data.X.min(axis=0) - 0.5, data.X.max(axis=0) + 0.5
    places = np.column_stack([g.ravel() for g in np.meshgrid(*(np.linspace(low[i], high[i], 12) for i in (0, 1)))])
    outputs = np.array([[a.data for a in np.ravel(network(row))] for row in places])
    half = 0.5 if "sigmoid" in repr(network) else 0.0
    expected = outputs[:, 0] > half if outputs.shape[1] == 1 else outputs.argmax(axis=1)
    ax = decision_regions(network, data.X, data.y, resolution=12)
    from models.plots.regions import _by_outputs

    drawn = _by_outputs(network, np.unique(data.y))(places)
    assert drawn.tolist() == expected.astype(float).tolist()
    assert len(ax.collections) >= 2
    with pytest.raises(ValueError, match="y must have as many classes as the network tells apart, 3, got 2"):
        decision_regions(MLP(2, [3]), data.X, data.y, resolution=5)


def test_decision_regions_of_a_data_frame_keep_the_names_of_its_columns():
    """No warning of missing feature names, warnings being errors."""
    pandas = pytest.importorskip("pandas", reason="pandas is a development dependency")
    pytest.importorskip("matplotlib", reason="plots are an extra")
    data = moons(40, random_state=0)
    frame = pandas.DataFrame(data.X, columns=["left", "right"])
    model = MLPClassifier(**SMALL).fit(frame, data.y)
    decision_regions(model, frame, data.y, resolution=8)
    network = MLP(2, [3, 1], random_state=0)
    heights = [
        sorted(tuple(path.vertices.ravel()) for path in decision_regions(network, X, data.y, resolution=8)
               .collections[0].get_paths())
        for X in (frame, data.X)
    ]  # fmt: skip
    assert heights[0] == heights[1]


def test_decision_regions_of_a_regressor_are_refused():
    """Numbers with fractions are no labels: every place would be a class of its own."""
    pytest.importorskip("matplotlib", reason="plots are an extra")
    data = moons(40, random_state=0)
    with pytest.raises(ValueError, match=r"what model returns; numbers with fractions are for a regressor"):
        decision_regions(LinearRegression().fit(data.X, data.y), data.X, data.y, resolution=8)


@pytest.mark.once
@pytest.mark.parametrize("early_stopping", [False, True])
@pytest.mark.parametrize("kind", [MLPClassifier, MLPRegressor])
def test_a_fit_takes_at_most_twice_the_memory_of_the_data(kind, early_stopping):
    """The peak that is allocated while fitting 40,000 × 50 numbers, which are there already; predicting takes less."""
    random = np.random.default_rng(0)
    data = random.normal(size=(40_000, 50))
    y = data[:, 0] > 0 if kind is MLPClassifier else data[:, 0]
    model = kind(hidden_layer_sizes=(100,), max_iter=1, early_stopping=early_stopping, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        kind(max_iter=1).fit(data[:100], np.arange(100) % 2)  # imports
        tracemalloc.start()
        try:
            model.fit(data, y)
            fitting = tracemalloc.get_traced_memory()[1]
            tracemalloc.reset_peak()
            held = tracemalloc.get_traced_memory()[0]
            model.predict(data)
            predicting = tracemalloc.get_traced_memory()[1] - held
        finally:
            tracemalloc.stop()
    assert fitting < 2 * data.nbytes
    assert predicting < data.nbytes
