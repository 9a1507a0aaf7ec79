# %% [markdown]
# # Lección 2 · De la regresión a la neurona
#
# Una neurona sin activación *es* una regresión lineal. Con un escalón al final, decide. Y hay cosas que no puede
# decidir.

# %% [markdown]
# ## 4. Regresión lineal múltiple
#
# `y = W₀ + W₁X₁ + W₂X₂`: una entrada más es un peso más. Recuperamos los pesos de un plano a partir de sus puntos.

# %%
import warnings

import numpy as np
from models import LinearRegression

X = np.array([[0, 0], [1, 0], [0, 1], [1, 1], [2, 1], [1, 2]], dtype=float)
y = 3 + 2 * X[:, 0] - 1 * X[:, 1]
plane = LinearRegression(learning_rate=0.2, epochs=500).fit(X, y)
print(f"W₀ = {plane.intercept_:.4f}, W₁ = {plane.coef_[0]:.4f}, W₂ = {plane.coef_[1]:.4f}")

# %% [markdown]
# ## 5. La neurona: suma ponderada
#
# `z = Σ WᵢXᵢ + b`. Con los pesos del plano, la neurona da lo mismo que la regresión: es la misma cuenta.

# %%
from models import Neuron

neuron = Neuron(2, activation=None, initialization="zeros")
for weight, w in zip(neuron.weights, plane.coef_, strict=True):
    weight.data = float(w)
neuron.bias.data = plane.intercept_
same = [neuron(x).data for x in X]
print("neurona:  ", np.round(same, 4))
print("regresión:", plane.predict(X).round(4))

# %% [markdown]
# ## 6. El perceptrón
#
# McCulloch y Pitts (1943), Rosenblatt (1958), Minsky y Papert (1969): si la suma pasa de un
# umbral (en el código, `threshold`), la neurona responde 1; si no, 0. El sesgo (`bias`) es el umbral con otro signo.
#
# `WX ≤ threshold → 0`, `WX > threshold → 1`. Con `bias = −threshold` es la misma decisión que `WX + b > 0`. **Justo
# en el umbral la respuesta es 0.**

# %%
from models.perceptron_rule import fires, fires_above, weighted_sums

inputs = [[0, 0], [1, 0], [0, 1], [1, 1]]
by_threshold = fires_above(inputs, [4, 5], threshold=6)
by_bias = fires(inputs, [4, 5], bias=-6)
on_threshold = fires_above([[1, 0]], [4, 5], threshold=4)
print(by_threshold, by_bias, "justo en el umbral:", on_threshold)

# %% [markdown]
# ## 7. «Noche épica»
#
# X₁ = videojuegos, X₂ = pizza. ¿Será una noche épica? Con w = (4, 5) y b = −6 las sumas ponderadas son −6, −2, −1 y
# 3; el escalón hace de ellas un AND.

# %%
sums = weighted_sums(inputs, [4, 5], -6)
for (games, pizza), z, a in zip(inputs, sums, by_bias, strict=True):
    print(f"videojuegos {games}, pizza {pizza}:  z = {z:2g}  →  {a}")

# %% [markdown]
# Nadie tiene por qué elegir los pesos: la **regla de Rosenblatt** los aprende desde cero. Solo un error cambia algo:
# `w ← w + α·(y − ŷ)·x`. Se detiene en la primera pasada sin errores.

# %%
from models.perceptron_rule import learn

night = learn([[0, 0], [0, 1], [1, 0], [1, 1]], [0, 0, 0, 1])
print(f"{night.passes} pasadas, {night.mistakes} errores:  w = {night.weights}, b = {night.bias:g}")

# %% [markdown]
# ## 8. Visualizar geométricamente
#
# La neurona parte el plano con una recta, `w₁X₁ + w₂X₂ + b = 0`; los pesos son la flecha, perpendicular a ella,
# hacia el lado donde dispara.

# %%
from models.plots import activation_surface, decision_regions, neuron_line, panels

chosen, learned = panels(2, size=(4.2, 3.6))
target = [0, 0, 0, 1]
for ax, weights, bias in ((chosen, [4.0, 5.0], -6.0), (learned, night.weights, night.bias)):
    decision_regions(lambda rows, w=weights, b=bias: fires(rows, w, b), inputs, target, names=["no", "épica"], ax=ax)
    neuron_line(weights, bias, ax=ax)
    ax.set_xlabel("videojuegos")
    ax.set_ylabel("pizza")
chosen.set_title("w = (4, 5), b = −6")
learned.set_title(f"Rosenblatt, {night.passes} pasadas")
learned.figure

# %% [markdown]
# La recta aprendida pasa justo por (1, 0): allí z = 0, y en el umbral la respuesta es 0, que es la correcta.
#
# La misma neurona con cuatro activaciones, como superficie sobre el plano (X₁, X₂). La línea es z = 0.

# %%
for ax, name in zip(panels(4, size=(2.9, 2.8), projection="3d"), ("step", "sigmoid", "tanh", "relu"), strict=True):
    activation_surface(name, [4.0, 5.0], -6.0, window=(-0.5, 1.5), ax=ax)
ax.figure

# %% [markdown]
# ## 9. Los límites de una neurona
#
# XOR: 1 si las entradas son distintas. Ninguna recta deja (0, 1) y (1, 0) de un lado y (0, 0) y (1, 1) del otro. La
# regla de Rosenblatt **da vueltas para siempre**: los pesos vuelven a ser los de antes. La biblioteca lo dice, y no
# finge.

# %%
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    xor = learn(inputs, [0, 1, 1, 0])
print(f"{caught[0].category.__name__}: {caught[0].message}")

# %%
ax = decision_regions(
    lambda rows: fires(rows, xor.weights, xor.bias), inputs, [0, 1, 1, 0], names=["igual", "distinto"]
)
ax.set_title(f"XOR tras {xor.passes} pasadas: {xor.last_mistakes} errores")
ax.figure

# %% [markdown]
# **Para pensar.** ¿Qué pesos hacen un OR? ¿Y un NAND? Con tres neuronas se hace un XOR: eso viene en la lección 3.
