# %% [markdown]
# # Lección 4 · Backpropagation
#
# ¿Cómo saber hacia dónde mover *cada* peso de una red? Primero a ciegas, luego repartiendo el error hacia atrás.

# %% [markdown]
# ## 13. Perturbación aleatoria
#
# El antecesor por fuerza bruta: cambia un peso al azar y **quédate con el cambio si el costo baja**. Funciona con
# cualquier costo, y ese es su precio: cuantos más pesos, más evaluaciones por mejora.

# %%
import numpy as np
from autodiff import Value, draw, topological_order, total
from models.perturbation import random_perturbation


def evaluations_until_half(n_weights, seed):
    """Cuántas evaluaciones del costo Σ (w − 1)² hacen falta para bajarlo a la mitad."""
    weights = [Value(0.0, f"w{i}") for i in range(n_weights)]
    search = random_perturbation(
        weights,
        lambda: total([(w - 1) ** 2 for w in weights]),
        steps=10_000,
        scale=0.5,
        until=n_weights / 2,
        random_state=seed,
    )
    return search.evaluations


evaluations = {n: float(np.median([evaluations_until_half(n, seed) for seed in range(15)])) for n in (4, 16, 64)}
for n, needed in evaluations.items():
    print(f"{n:3} pesos: {needed:5.0f} evaluaciones para bajar el costo a la mitad")

# %% [markdown]
# Una sola pasada hacia atrás cuesta como una o dos evaluaciones y da la pendiente de **todos** los pesos.

# %%
halved = {}
for n in (4, 16, 64):
    weights = [Value(0.0, f"w{i}") for i in range(n)]
    total([(w - 1) ** 2 for w in weights]).backward()
    for w in weights:
        w.data -= 0.25 * w.grad
    halved[n] = total([(w - 1) ** 2 for w in weights]).data / n
print("costo tras UN paso de descenso, en partes del inicial:", halved)

# %% [markdown]
# ## 14. Backpropagation, la intuición
#
# El error del costo se reparte **hacia atrás, capa por capa, según la responsabilidad** de cada quien. Lo que le
# toca a cada neurona es su δ. Azul: si el nodo crece, el costo crece; naranja: si crece, el costo baja.

# %%
x, w, b = Value(2.0, "x"), Value(-3.0, "w"), Value(6.5, "b")
z = w * x + b
z.label = "z"
a = z.sigmoid()
a.label = "a"
C = (1.0 - a) ** 2 / 2
C.label = "C"
C.backward()
draw(C)

# %% [markdown]
# `explain` escribe la suma de la regla de la cadena con sus números: δ en cada nodo que usa este valor,
# multiplicado por la derivada local.

# %%
from autodiff import explain

print(explain(a, of=C))
print()
print(explain(w, of=C))

# %% [markdown]
# Para recorrerlo paso a paso en el navegador, primero hacia adelante y luego hacia atrás:
# `from autodiff import stepper; stepper(C, "backprop.html")`.

# %% [markdown]
# ## 15. Backpropagation, las matemáticas
#
# $z^l = w^l a^{l-1} + b^l$, $a^l = \sigma(z^l)$, $C = \tfrac12\sum_j (y_j - a_j^L)^2$, y $\delta^l = \partial
# C/\partial z^l$, el **error atribuido a la neurona** (en las diapositivas δ es siempre
# ∂C/∂z; los dibujos escriben δ en cada nodo, y allí es ∂C/∂nodo):
#
# 1. última capa: $\delta^L = \partial C/\partial a^L\odot\sigma'(z^L)$, con $\partial C/\partial a^L_j = a^L_j - y_j$
# 2. una capa atrás: $\delta^{l-1} = (w^l)^{\mathsf T}\delta^l\odot\sigma'(z^{l-1})$
# 3. los gradientes: $\partial C/\partial w^l = \delta^l (a^{l-1})^{\mathsf T}$, $\;\partial C/\partial b^l = \delta^l$
#
# (Tres diapositivas imprimen $\partial z^{L-1}/\partial a^{L-1}$ donde debe decir $\partial z^L/\partial a^{L-1}$, que
# es $w^L$.)
#
# A mano, en NumPy, para una red 2-3-1 sigmoide:

# %%
from models import MLP
from models.losses import half_squared_error

mlp = MLP(2, [3, 1], activation="sigmoid", output_activation="sigmoid", random_state=0)
inputs, target = np.array([0.5, 1.0]), 0.9
(w1, w2), (b1, b2) = mlp.weights(), mlp.biases()


def sigma(z):
    return 1 / (1 + np.exp(-z))


a1 = sigma(w1 @ inputs + b1)
a2 = sigma(w2 @ a1 + b2)
delta2 = (a2 - target) * a2 * (1 - a2)
delta1 = (w2.T @ delta2) * a1 * (1 - a1)
gradients = [np.outer(delta1, inputs), delta1, np.outer(delta2, a1), delta2]
print("δ² =", delta2, "  δ¹ =", delta1)

# %% [markdown]
# Y el grafo, que no sabe nada de matrices: recorre sus nodos uno a uno con la regla de la cadena. ¿Da lo mismo?

# %%
cost = half_squared_error(mlp(inputs), target)
cost.backward()
node = {each.label: each for each in topological_order(cost)}
from_graph = np.array([node[f"layer1.neuron{j}.z"].grad for j in (1, 2, 3)])
print("δ¹ en el grafo:", from_graph)
print("mayor diferencia:", np.abs(from_graph - delta1).max())

# %% [markdown]
# La misma red, vista de lejos: neuronas con su salida y su δ, y en los trazos lo que cada peso lleva hacia atrás.

# %%
cost.label = "C"
draw(cost, detail="neurons")

# %% [markdown]
# Una entrada alimenta a tres neuronas, así que su δ es una suma de tres: aquí se ve repartida la responsabilidad.

# %%
x1, x2 = Value(0.5, "x1"), Value(1.0, "x2")
C = half_squared_error(mlp([x1, x2]), target)
C.label = "C"
print(explain(x1, of=C))

# %%
by_parameter = np.array([parameter.grad for parameter in mlp.parameters()])
by_hand = np.concatenate([np.column_stack([gradients[0], gradients[1]]).ravel(), gradients[2].ravel(), gradients[3]])
largest_difference = np.abs(by_parameter - by_hand).max()
print("∂C/∂w y ∂C/∂b, mayor diferencia:", largest_difference)

# %% [markdown]
# `equations` escribe las tres fórmulas con los números de la red, y comprueba cada una contra el grafo:

# %%
from models.course_equations import equations

equations(mlp, inputs, target)

# %% [markdown]
# El gradiente baja el costo. Cien pasos, y el costo en cada uno:

# %%
from models.plots import loss_curves

costs = []
for _ in range(100):
    mlp.zero_grad()
    cost = half_squared_error(mlp(inputs), target)
    cost.backward()
    for parameter in mlp.parameters():
        parameter.data -= 1.0 * parameter.grad
    costs.append(cost.data)
ax = loss_curves({"C": costs}, log=True)
ax.figure

# %% [markdown]
# **Para pensar.** Si a¹ = 0 en una neurona, ¿cuánto vale ∂C/∂w² de su conexión? ¿Y si su sigmoide está saturada?
