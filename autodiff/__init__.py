from autodiff.value import Value, no_grad
from autodiff.ops import *
from autodiff.functions import *
