# %% [markdown]
# # Lección 6 · Los dos ejercicios
#
# Con todo lo anterior: una regresión de varias salidas y una red pequeña, con sus números de referencia.

# %% [markdown]
# ## 17. Los dos ejercicios
#
# ### Manzanas y naranjas
#
# De la temperatura, la lluvia y la humedad de cinco regiones, cuántas manzanas y naranjas se cosechan: regresión
# lineal con dos salidas.

# %%
import numpy as np
from models import MLP, LinearRegression, datasets
from models.plots import loss_curves

fruit = datasets.apples_and_oranges()
raw = LinearRegression(learning_rate=1e-5, epochs=1000).fit(fruit.X, fruit.y)
for epoch in (0, 1, 100, 1000):
    print(f"tras {epoch:4} épocas: ECM = {raw.loss_curve_[epoch]:.6f}")

# %% [markdown]
# α = 10⁻⁵, y aun así no se puede mucho más: por encima de 1.117·10⁻⁴ diverge, porque las entradas son grandes y
# parecidas. El límite es 2 entre la mayor curvatura del costo.

# %%
with_ones = np.column_stack([fruit.X, np.ones(len(fruit.X))])
curvature = 2 * with_ones.T @ with_ones / fruit.y.size  # el costo es la media de los diez errores
largest_rate = 2 / np.linalg.eigvalsh(curvature)[-1]
print(f"α límite: {largest_rate:.4g}")

# %% [markdown]
# La cura es **estandarizar** las entradas (media 0, desviación 1). Entonces α = 0.1 llega en menos de 1,000 épocas
# a la respuesta exacta, la de mínimos cuadrados.

# %%
mean, scale = fruit.X.mean(axis=0), fruit.X.std(axis=0)
model = LinearRegression(learning_rate=0.1, epochs=1000).fit((fruit.X - mean) / scale, fruit.y)
coef = model.coef_ / scale  # de vuelta a las unidades de los datos
fitted = np.column_stack([coef, model.intercept_ - coef @ mean])
exact = np.linalg.lstsq(with_ones, fruit.y, rcond=None)[0].T
for name, ours, best in zip(fruit.target_names, fitted, exact, strict=True):
    print(f"{name:8} descenso          ", ours.round(8))
    print(f"{'':8} mínimos cuadrados ", best.round(8))
print(f"ECM = {model.loss_curve_[-1]:.10f}")

# %%
ax = loss_curves(
    {"sin estandarizar, α = 1e-5": raw.loss_curve_, "estandarizadas, α = 0.1": model.loss_curve_}, log=True
)
ax.set_xlabel("época")
ax.set_ylabel("ECM")
ax.figure

# %% [markdown]
# ### Estudiar, dormir, calificación
#
# De las horas estudiadas y dormidas, la calificación: una red 2-3-1 sigmoide **sin sesgos**. Entradas divididas
# entre el máximo de su columna, calificaciones entre 100.

# %%
from autodiff import draw, total
from models.losses import half_squared_error

study = datasets.study_sleep_mark()
W1 = [[0.5, -0.5, 0.25], [0.1, 0.2, -0.3]]  # los renglones son las entradas
W2 = [0.4, -0.2, 0.3]


def network():
    mlp = MLP(2, [3, 1], activation="sigmoid", output_activation="sigmoid", bias=False)
    return mlp.load_weights([W1, W2], rows="inputs")


def cost(mlp):
    return total([half_squared_error(mlp(x), y) for x, y in zip(study.X, study.y, strict=True)])


mlp = network()
errors = []
for step in range(1001):
    mlp.zero_grad()
    C = cost(mlp)
    errors.append(2 * C.data / len(study.y))  # C = ½ Σ (y − ŷ)²; el ECM es 2C/N
    if step < 1000:
        C.backward()
        for w in mlp.parameters():
            w.data -= 1.0 * w.grad
for step in (0, 1, 1000):
    print(f"tras {step:4} pasos: ECM = {errors[step]:.12f}")

# %% [markdown]
# ¿Qué calificación espera quien estudia 4 horas y duerme 8? La fuente divide (4, 8) entre su propio máximo, lo que da
# (0.5, 1). Dividido como los demás renglones, entre 3 y 9, sería (1.333, 0.889).

# %%
prediction = mlp([0.5, 1.0]).data
as_the_others = mlp([4 / 3, 8 / 9]).data
print(f"(0.5, 1): {prediction:.12f}     (1.333, 0.889): {as_the_others:.4f}")

# %% [markdown]
# Y la primera de todas las δ, la del principio: el error de un alumno, repartido hacia atrás por la red.

# %%
C = half_squared_error(network()(study.X[0]), study.y[0])
C.label = "C"
C.backward()
draw(C, detail="neurons")

# %% [markdown]
# **Para pensar.** ¿Qué cambia si la red tiene sesgos? ¿Y si se entrena con `models.training.train` y
# `optimizer="adam"`?
