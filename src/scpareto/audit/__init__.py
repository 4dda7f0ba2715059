"""Judge codes and fronts with fresh probes, never with the critics that trained them."""

from scpareto.audit._alarm import alarm, contrast_lost
from scpareto.audit._frame import Frame, frame_of, log_expression
from scpareto.audit._judge import judge_codes
from scpareto.audit._judge_embeddings import COMPONENTS, Judged, judge_embeddings
from scpareto.audit._judge_labels import LabelJudge
from scpareto.audit._label_columns import scib_columns, with_labels
from scpareto.audit._per_population import NO_COUNTERPART, per_population, populations_sentence
from scpareto.audit._protected import KEPT_FROM, Protected, protected
from scpareto.audit._structure import Structure, set_alarm

__all__: list[str] = []
