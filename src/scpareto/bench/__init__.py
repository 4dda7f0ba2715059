"""Run popular integration methods by one function, and compare them with a front in a benchmark."""

from scpareto.bench import _methods
from scpareto.bench._benchmark import Benchmark
from scpareto.bench._cells import Cells
from scpareto.bench._integrate import find_method, integrate, read_cells, run_method
from scpareto.bench._methods._desc import DESC
from scpareto.bench._methods._saucie import SAUCIE
from scpareto.bench._registry import Knob, Method, Points, get_method, method_names, methods, register_method
from scpareto.bench._tasks import select_methods

__all__ = ["DESC", "SAUCIE", "Benchmark", "Knob", "Method", "integrate", "methods", "register_method"]
