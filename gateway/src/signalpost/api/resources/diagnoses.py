"""Diagnoses as answers show them: what is known of an endpoint that failed, given to the table of causes."""

from urllib.parse import urlsplit

from signalpost.api.routing.shapes.deliveries import Diagnosis
from signalpost.domain.delivery.diagnosis import Symptom, diagnose, symptom_of_test
from signalpost.domain.delivery.diagnosis_rules import Change
from signalpost.domain.delivery.outcome import Failure, Outcome
from signalpost.domain.subscription import Subscription
from signalpost.store.nouns.deliveries import DeliveryView


def diagnosis_of(subscription: Subscription, view: DeliveryView, waiting: int) -> Diagnosis | None:
    """Why the last attempt of a delivery failed; None if it did not. `waiting` says how many deliveries wait for the
    endpoint."""
    attempt = view.last_attempt
    if attempt is None or attempt.failure is None:
        return None
    changed: dict[Change, int] = {
        "secret": subscription.secret_since,
        "url": subscription.url_since,
        "headers": subscription.headers_since,
    }
    symptom = Symptom(
        host=urlsplit(subscription.url).netloc,
        failure=Failure(attempt.failure),
        status=attempt.status,
        detail=attempt.detail,
        answer=attempt.answer.decode("utf-8", "replace"),
        failing_since=min(view.failing_since or attempt.started_at, attempt.started_at),
        delivered_at=view.delivered_at,
        changed_at={change: at for change, at in changed.items() if at > 0},
        certificate_ends=view.certificate_ends,
        waiting=waiting,
        lost=view.lost,
    )
    return _shown(symptom)


def diagnosis_of_test(url: str, outcome: Outcome) -> Diagnosis | None:
    """Why a sample event was not delivered; None if it was."""
    symptom = symptom_of_test(urlsplit(url).netloc, outcome)
    return None if symptom is None else _shown(symptom)


def _shown(symptom: Symptom) -> Diagnosis | None:
    found = diagnose(symptom)
    return None if found is None else Diagnosis.of(found)
