"""Judge codes and fronts with fresh probes, never with the critics that trained them."""

from scpareto.audit._alarm import compute_alarm, compute_contrast_losses
from scpareto.audit._frame import Frame, build_frame, log_expression
from scpareto.audit._judge import judge_codes
from scpareto.audit._judge_embeddings import COMPONENTS, JudgeResult, judge_embeddings
from scpareto.audit._judge_labels import LabelJudge
from scpareto.audit._label_columns import add_label_columns, scib_columns
from scpareto.audit._per_population import compute_population_table, populations_sentence
from scpareto.audit._protected import ConditionKept, judge_condition
from scpareto.audit._structure import StructureJudge, set_alarm

__all__: list[str] = []
