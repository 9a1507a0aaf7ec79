# %% [markdown]
# # Lección 3 · Neuronas que alimentan neuronas
#
# Una sola neurona traza una recta. Varias, unas sobre otras, toman decisiones sobre decisiones, pero solo si entre
# ellas hay una **función de activación**.

# %% [markdown]
# ## 10. Conocimiento jerarquizado
#
# De «noche épica» y otros hechos del fin de semana, a «buena calificación en el examen del lunes».

# %%
import numpy as np
from autodiff import Value, draw
from models.hierarchy import MONDAY_EXAM, XOR, decide, decide_all, explain

weekend = {"video games": 1, "pizza": 1, "studied": 1, "attended class": 0, "early to bed": 1}
print("\n".join(explain(MONDAY_EXAM, weekend)))

# %%
without_pizza = decide(MONDAY_EXAM, {**weekend, "pizza": 0})
print("sin pizza:", without_pizza)

# %% [markdown]
# Con `Value` en lugar de números, la jerarquía es un grafo que se puede dibujar: aquí visto de lejos, por neuronas. Los
# trazos son los pesos; como el escalón tiene derivada 0, no hay δ que fluya.

# %%
facts = {name: Value(float(x), name.replace(" ", "_")) for name, x in weekend.items()}
draw(decide(MONDAY_EXAM, facts)["good mark"], detail="neurons")

# %% [markdown]
# Y lo que una neurona no puede decidir, lo deciden tres: XOR es «uno u otro, pero no los dos».

# %%
corners = [[0, 0], [0, 1], [1, 0], [1, 1]]
xor = decide_all(XOR, corners)[:, -1]
print("XOR:", xor)

# %% [markdown]
# ## 11. Concatenar regresiones lineales
#
# ¿Y si apilamos regresiones lineales, sin activación? `W²(W¹x + b¹) + b² = (W²W¹)x + (W²b¹ + b²)`: **una sola**
# regresión.

# %%
from models import MLP
from models.backpropagation import collapse

deep = MLP(2, [4, 3, 1], activation="linear", random_state=0)
deep.load_weights(deep.weights(), biases=[[0.5, 0.5, 0.5, 0.5], [-0.2, -0.2, -0.2], [1.0]])
W, b = collapse(deep)
x = np.array([0.3, -1.2])
three_layers, one_layer = deep(x).data, (W @ x + b)[0]
print("tres capas:", three_layers, "  una sola:", one_layer)
print("W =", W.round(6), " b =", b.round(6))

# %% [markdown]
# Con una activación entre capas ya no hay tal W. La prueba: una función lineal cumple f(2x) − f(0) = 2·(f(x) − f(0)).


# %%
def departure(network):
    zero, one, two = (network(k * x).data for k in (0.0, 1.0, 2.0))
    return abs((two - zero) - 2.0 * (one - zero))


curved = MLP(2, [4, 3, 1], activation="tanh", random_state=0)
departures = {"linear": departure(deep), "tanh": departure(curved)}
departures

# %% [markdown]
# ## 12. Funciones de activación
#
# Escalonada (*step*), sigmoide, tangente hiperbólica y ReLU, con su **derivada**, que encuentra `autodiff`. En un
# salto, el punto lleno es el valor: `step(0) = 0`, `relu′(0) = 0`. La derivada del escalón es 0 en todas partes:
# por descenso de gradiente no se aprende nada con ella; la regla de Rosenblatt, que no deriva, sí puede.

# %%
from autodiff import grad, relu, sigmoid, step, tanh
from models.plots import activation_curve, panels

for ax, name in zip(panels(4, size=(2.9, 2.6)), ("step", "sigmoid", "tanh", "relu"), strict=True):
    activation_curve(name, ax=ax)
ax.figure

# %%
table = {op.name: (op(0.5), grad(op)(0.5)) for op in (step, sigmoid, tanh, relu)}
for name, (value, derivative) in table.items():
    print(f"{name:8} σ(0.5) = {value:.6f}   σ′(0.5) = {derivative:.6f}")

# %% [markdown]
# Con activaciones, una red dobla la frontera cuanto haga falta.

# %%
from models import MLPClassifier, datasets
from models.plots import decision_regions

train, test = datasets.moons(100, random_state=0), datasets.moons(200, random_state=1)
sizes = {"ninguna oculta": (), "8 ocultas (tanh)": (8,)}
scores = {}
for ax, (name, hidden) in zip(panels(2, size=(4.2, 3.4)), sizes.items(), strict=True):
    network = MLPClassifier(
        hidden_layer_sizes=hidden, activation="tanh", learning_rate=0.1, batch_size=20, tol=0.01, random_state=0
    ).fit(train.X, train.y)
    scores[name] = network.score(test.X, test.y)
    decision_regions(network, train.X, train.y, names=train.target_names, ax=ax)
    ax.set_title(f"{name}: {scores[name]:.1%} de aciertos")
ax.figure

# %% [markdown]
# **Para pensar.** ¿Qué neurona de `MONDAY_EXAM` cambiarías para que baste con ir a clase?
