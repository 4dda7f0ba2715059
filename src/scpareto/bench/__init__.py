"""Popular integration methods behind one call, and a benchmark that puts each beside a front."""

from scpareto.bench import _methods
from scpareto.bench._benchmark import Benchmark
from scpareto.bench._cells import Cells
from scpareto.bench._integrate import checked_method, gather, integrate, run_method
from scpareto.bench._methods._desc import DESC
from scpareto.bench._methods._saucie import SAUCIE
from scpareto.bench._registry import Knob, Method, Points, get_method, method_names, methods, register_method
from scpareto.bench._tasks import chosen_methods

__all__ = ["DESC", "SAUCIE", "Benchmark", "Knob", "Method", "integrate", "methods", "register_method"]
