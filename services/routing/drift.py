"""
How the classifier does on live traffic: what it decided, how sure it was, and, in shadow mode, where a second model
would have decided otherwise. Metrics alone; nothing is decided here.
"""

from collections.abc import Iterable

from services.common.contracts.catalogue import Catalogue
from services.common.contracts.vocabulary import DecidedBy
from services.common.kit import metrics
from services.routing.case import Case
from services.routing.opinions import Classifier, verdict


class Drift:
    """
    Counts requests as they are registered. ``shadow``: a model that is asked beside the one that decides.
    """

    def __init__(self, model: Classifier, known: Catalogue, shadow: Classifier | None = None) -> None:
        self._model, self._known, self._shadow = model, known, shadow

    def registered(self, cases: Iterable[Case]) -> None:
        """
        Count requests that were just registered: of those whose service was left to the model, how it decided; of all,
        whether it saw danger; of those without a service_code, whether the shadow agrees in service and danger.
        """
        for case in cases:
            if case.request is None:
                continue
            text = case.request.text
            view = verdict(self._model, text, self._known)
            if view.danger:
                metrics.model_decisions_total.labels("danger").inc()
            if case.parent.state.decided_by is DecidedBy.MODEL:
                metrics.model_decisions_total.labels("decided" if view.service else "abstained").inc()
                metrics.model_confidence.observe(view.confidence)
            if self._shadow is not None and case.request.service_code is None:
                other = verdict(self._shadow, text, self._known)
                same = (view.service, view.danger) == (other.service, other.danger)
                metrics.model_shadow_total.labels("agrees" if same else "differs").inc()
