"""Learn a front: shared start, critics, points along one path or trained apart, one judge."""

from scpareto._cells import Split, stratified_split
from scpareto.front._apply import apply_point, load_selection
from scpareto.front._audit_front import audit_front
from scpareto.front._documented import fill_docstring
from scpareto.front._fit_front import fit_front, learn_front
from scpareto.front._judge_front import describe_axis, make_alarm_columns, make_score_columns, stratified_halves
from scpareto.front._options import FrontOptions
from scpareto.front._refine import refine_point

__all__ = ["audit_front", "refine_point"]
