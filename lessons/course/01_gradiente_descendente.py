# %% [markdown]
# # Lección 1 · El gradiente descendente y una recta que aprende
#
# Aprender es bajar por una cuesta: se mide el error con una **función de costo** y se da un paso hacia donde el costo
# baja. Hacia dónde, lo dice la derivada; aquí la calcula `autodiff`, sin fórmulas hechas a mano.

# %% [markdown]
# ## 1. El gradiente descendente
#
# `w ← w − α·∂C/∂w`: si la pendiente es positiva, retrocede; si es negativa, avanza. α (*learning rate*) es el
# tamaño del paso. Nuestro costo será el de la recta `y = w·x + 1` sobre cuatro puntos.

# %%
from autodiff import grad
from models.plots import descent_contour, descent_curve, descent_path, panels, regression_line

points = [(1, 3), (2, 5), (3, 7), (4, 9)]


def cost(w, b=1.0):
    return sum((y - (w * x + b)) ** 2 for x, y in points) / len(points)


slope = grad(cost)
for w in (0.0, 1.0, 2.0, 3.0):
    print(f"w = {w:g}   C = {cost(w):5.2f}   ∂C/∂w = {slope(w):6.2f}")

# %% [markdown]
# El mismo descenso desde w = 0 con tres α. Empieza en el círculo hueco; los pasos que bajan son azules, los que
# suben naranjas. Demasiado pequeña, **se arrastra**; demasiado grande, cada paso cae más lejos que el anterior:
# **diverge**.

# %%
rates = {"α demasiado pequeña": 0.004, "α adecuada": 0.05, "α demasiado grande": 0.138}
paths = {name: descent_path(cost, 0.0, learning_rate=rate, steps=14) for name, rate in rates.items()}
for ax, (name, path) in zip(panels(3), paths.items(), strict=True):
    descent_curve(cost, path, window=(-0.5, 4.5), ax=ax)
    ax.set_title(f"{name}: {rates[name]:g}", fontsize="medium")
ax.figure

# %% [markdown]
# ¿Dónde está la frontera? El costo es una parábola con ∂²C/∂w² = 15: cada paso multiplica la distancia al mínimo por
# `1 − 15α`. Converge si ese factor está entre −1 y 1, es decir, si α < 2/15 ≈ 0.133.

# %%
curvature = grad(grad(cost))(0.0)
print("∂²C/∂w² =", curvature, "  α límite =", 2 / curvature)

# %% [markdown]
# ## 2. Regresión lineal
#
# `y = wx + b`: **w** es la pendiente y **b** la ordenada al origen. Ahora aprenden los dos a la vez, y el descenso
# ya no va por una curva sino por un valle.

# %%
path = descent_path(cost, [0.0, 0.0], learning_rate=0.02, steps=400)
ax = descent_contour(cost, path[:40], window=((-0.3, 3.3), (-0.5, 2.5)))
ax.set_title("40 pasos con α = 0.02")
ax.figure

# %% [markdown]
# Cada lugar del camino es una recta. Las rectas de los primeros pasos, cada vez más oscuras, y en segmentos los
# **residuos** de la última: lo que todavía le falta (azul) o le sobra (naranja) a cada predicción.

# %%
X, y = zip(*points, strict=True)
early, late = panels(2, size=(4.4, 3.2))
regression_line(X, y, path[:4], ax=early).set_title("tras 3 pasos")
regression_line(X, y, path[[0, 1, 2, 5, 20, 400]], ax=late).set_title("tras 400 pasos")
late.figure

# %% [markdown]
# `LinearRegression` hace lo mismo con el contrato de scikit-learn.

# %%
from models import LinearRegression

model = LinearRegression(learning_rate=0.1, epochs=500).fit([[x] for x in X], y)
print(f"w = {model.coef_[0]:.6f}, b = {model.intercept_:.6f}")

# %% [markdown]
# ## 3. Función de costo (ECM)
#
# El **error cuadrático medio** es `ECM = 1/N Σ (yᵢ − ŷᵢ)²` (en la diapositiva el 2 quedó como subíndice: es un
# cuadrado). A mano, su gradiente es
#
# $$\frac{\partial\,ECM}{\partial w} = -\frac{2}{N}\sum x_i\,(y_i-\hat y_i) \qquad
#   \frac{\partial\,ECM}{\partial b} = -\frac{2}{N}\sum (y_i-\hat y_i)$$
#
# En w = 0, b = 0 las predicciones son todas 0: −2/4·(3 + 10 + 21 + 36) = −35 y −2/4·(3 + 5 + 7 + 9) = −12.

# %%
ecm_gradient = grad(cost, argnums=(0, 1))(0.0, 0.0)
ecm_gradient

# %% [markdown]
# El mismo gradiente, dibujado. Cada nodo guarda su valor y su δ = ∂C/∂nodo; por cada arista regresa δ multiplicado por
# la derivada local. En `w` y en `b` se suma lo que llega de los cuatro puntos (aquí dos, para que quepa).

# %%
from autodiff import Value, draw, mean

w, b = Value(0.0, "w"), Value(0.0, "b")
C = mean([(y - (w * x + b)) ** 2 for x, y in points[:2]])
C.label = "ECM"
C.backward()
draw(C)

# %% [markdown]
# **Para pensar.** Con α = 0.13 el descenso de `w` converge saltando de un lado al otro. ¿Por qué? ¿Qué α llega al
# mínimo en *un* solo paso?
