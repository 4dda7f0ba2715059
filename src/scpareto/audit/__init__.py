"""Judge codes and fronts with fresh probes, never with the critics that trained them."""

from ._alarm import alarm, contrast_lost
from ._frame import Frame, frame_of, log_expression
from ._judge import judge_codes
from ._judge_embeddings import COMPONENTS, Judged, judge_embeddings
from ._judge_labels import LabelJudge
from ._label_columns import scib_columns, with_labels
from ._per_population import NO_COUNTERPART, per_population, populations_sentence
from ._protected import KEPT_FROM, Protected, protected
from ._structure import Structure, set_alarm

__all__: list[str] = []
