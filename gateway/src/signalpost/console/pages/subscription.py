"""The page of one subscription: how its endpoint is doing, and what it should get."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec
from msgspec import UNSET, Struct
from msgspec.structs import replace

from signalpost.api.routing.shapes.deliveries import Delivery, DeliveryPage
from signalpost.api.routing.shapes.overview import Stats
from signalpost.api.routing.shapes.rehearsals import Rehearsal
from signalpost.api.routing.shapes.subscriptions import ObjectiveStatus, SecretStatus, Subscription, TestResult
from signalpost.console.condition_form import ConditionForm, condition_form, is_condition_edited, typed_condition
from signalpost.console.contacts_form import CONTACTS, contacts_line, typed_contacts
from signalpost.console.delay_form import AfterForm, after_form, edited_after
from signalpost.console.objective_form import ObjectiveForm, edited_objective, objective_form
from signalpost.console.page import Page, SeeOther, ShownOnce, Visit, whole
from signalpost.console.pages.connections import kinds
from signalpost.console.pages.rehearsals import of_change
from signalpost.console.schema_form import SchemaForm, schema_form, typed_below

CONFIG = "config."
"""What the names of a form's fields begin with that are members of the config."""
_HEADER = "header."
"""What the names of those fields begin with that ask for a header's value."""


LIMITED = "The rate limit is set. What comes faster waits for its turn, and nothing is lost."


_YES_OR_NO: Final = {"yes": True, "no": False}


class SubscriptionView(Struct, frozen=True):
    subscription: Subscription
    version: str
    """The version that is shown, so that a form changes no other one."""
    latest: Sequence[Delivery]
    hour: Stats
    """The attempts of the last hour, by outcome."""
    secret: SecretStatus | None
    """What is known of the secret; None for what has none."""
    form: SchemaForm | None
    """What a vendor gets; None for a webhook, and if its kind is not installed."""
    when: ConditionForm
    after: AfterForm
    contacts: str
    objective: ObjectiveForm
    kept: ObjectiveStatus | None
    """How the objective is kept; None if there is none."""
    taken: str
    """What its last deliveries say of its endpoint, if it is well."""
    rehearsal: Rehearsal | None = None
    """What the change in the form would have sent, if that was asked for."""

    @property
    def failed(self) -> Delivery | None:
        """The newest of those shown that did not arrive."""
        return next((each for each in self.latest if each.status in ("failed", "retrying")), None)


class RotationResult(Struct, frozen=True):
    subscription: Subscription
    secret: str | None
    standard_webhooks_secret: str | None


class _NewSecret(Struct, rename="camel"):
    secret: str | None
    standard_webhooks_secret: str | None


class EndpointTest(Struct, frozen=True):
    subscription: Subscription
    result: TestResult
    with_new_secret: bool = False
    """Whether only the new secret signed it."""


async def view(visit: Visit) -> SubscriptionView:
    subscription, version = await visit.calls.read_version("read_subscription", Subscription, id=visit.params["id"])
    latest = await visit.calls.read(
        "list_subscription_deliveries", DeliveryPage, {"limit": "10"}, id=visit.params["id"]
    )
    hour = await visit.calls.read("read_stats", Stats, {"subscriptionId": visit.params["id"]})
    secret = None
    if not subscription.kind:
        secret = await visit.calls.read("read_secret_status", SecretStatus, id=visit.params["id"])
    kept = await kept_objective(visit, subscription)
    return SubscriptionView(
        subscription=subscription,
        version=version,
        latest=latest.data,
        hour=hour,
        secret=secret,
        form=await _form(visit, subscription),
        when=condition_form("when.", "/when", subscription.when, visit.form),
        after=after_form(subscription.after, visit.form),
        contacts=contacts_line(subscription.contacts),
        objective=objective_form(subscription.objective),
        kept=kept,
        taken=taken(latest),
    )


async def kept_objective(visit: Visit, subscription: Subscription) -> ObjectiveStatus | None:
    """How a subscription keeps its objective; None if it has none."""
    if subscription.objective is UNSET:
        return None
    return await visit.calls.read("read_objective", ObjectiveStatus, id=subscription.id)


def taken(latest: DeliveryPage) -> str:
    """What the last deliveries say of an endpoint that is well. Nothing, if all of them wait or were skipped."""
    if any(each.status == "delivered" for each in latest.data):
        return "Its endpoint takes what is sent."
    return "" if latest.data or latest.next else "Nothing was sent there yet."


async def _form(visit: Visit, subscription: Subscription) -> SchemaForm | None:
    """The config of a subscription as a form."""
    if subscription.config is UNSET:
        return None
    kind = next((each for each in await kinds(visit) if each.kind == subscription.kind), None)
    if kind is None:
        return None
    return schema_form(kind.config, typed_below(CONFIG, visit.form), "/config", subscription.config)


async def _read(visit: Visit) -> Subscription:
    return await visit.calls.read("read_subscription", Subscription, id=visit.params["id"])


async def _patch(visit: Visit, changed: Mapping[str, Any], done: str) -> SeeOther:
    """Only of the version that the form was made of, if it says which one that is."""
    of, version = visit.params["id"], visit.given("version")
    await visit.calls.change("patch_subscription", changed, key=visit.given("key"), if_match=version, id=of)
    return _back(visit, done)


def _back(visit: Visit, done: str) -> SeeOther:
    return SeeOther(f"/subscriptions/{visit.params['id']}", done)


async def pause(visit: Visit) -> SeeOther:
    return await _patch(visit, {"status": "paused"}, "paused")


async def resume(visit: Visit) -> SeeOther:
    return await _patch(visit, {"status": "active"}, "resumed")


async def resume_at_the_end(visit: Visit) -> SeeOther:
    return await _patch(visit, {"status": "active", "skipBacklog": True}, "skipped")


async def change(visit: Visit) -> SeeOther:
    return await _patch(visit, await _changed(visit), "changed")


async def rehearse(visit: Visit) -> ShownOnce:
    """What the change in the form would have sent of the last days."""
    found = await of_change(visit, await _changed(visit), visit.params["id"])
    return ShownOnce("subscription.html", replace(await view(visit), rehearsal=found))


async def change_and_send(visit: Visit) -> SeeOther:
    """Saves what is in the form, and sends what its rehearsal found missing."""
    await change(visit)
    body, key = {"rehearsal": visit.given("rehearsal")}, visit.given("key")
    await visit.calls.change("start_replay", body, key=key and f"{key}-send", id=visit.params["id"])
    return _back(visit, "sent")


async def _changed(visit: Visit) -> dict[str, Any]:
    """What a person edited in the form."""
    subscription = await _read(visit)
    changed = edited(visit, subscription)
    if visit.is_edited("ordering", subscription.ordering):
        changed["ordering"] = visit.given("ordering")
    if is_condition_edited("when.", subscription.when, visit.form):
        changed["when"] = typed_condition("when.", visit.form)
    if (after := edited_after(subscription.after, visit.form)) is not UNSET:
        changed["after"] = after
    if (objective := edited_objective(visit, subscription.objective)) is not UNSET:
        changed["objective"] = objective
    if visit.is_edited("trace", "yes" if subscription.trace else "no"):
        changed["trace"] = _YES_OR_NO.get(visit.given("trace"), visit.given("trace"))
    form, typed = await _form(visit, subscription), typed_below(CONFIG, visit.form)
    if form is not None and not form.is_untouched(typed):
        changed["config"] = form.body(typed)
    return changed


def edited(visit: Visit, subscription: Subscription) -> dict[str, Any]:
    """What a person edited of what operators and customers can change alike."""
    changed: dict[str, Any] = {
        name: visit.given(name) for name in ("name", "url") if visit.is_edited(name, getattr(subscription, name))
    }
    if visit.is_edited("rate", str(subscription.rate_limit or "")):
        changed["rateLimit"] = whole(visit.given("rate")) if visit.given("rate") else None
    if visit.is_edited(CONTACTS, contacts_line(subscription.contacts)):
        changed["contacts"] = typed_contacts(visit)
    if again := {name.removeprefix(_HEADER): visit.given(name) for name in visit.form if name.startswith(_HEADER)}:
        changed["headers"] = again  # the page asked for their values, because the URL leads elsewhere now
    types = visit.chosen("type", subscription.event_types)
    if {*types} != {*subscription.event_types}:
        changed["eventTypes"] = types
    return changed


async def limit(visit: Visit) -> SeeOther:
    """Sets how fast requests may follow one another, and nothing else."""
    return await _patch(visit, {"rateLimit": whole(visit.given("rate"))}, "limited")


async def rotate(visit: Visit) -> ShownOnce:
    visit.need_proof()
    made = await visit.calls.change("rotate_secret", {}, key=visit.given("key"), id=visit.params["id"])
    secret = msgspec.json.decode(made, type=_NewSecret)
    return ShownOnce("rotated.html", RotationResult(await _read(visit), secret.secret, secret.standard_webhooks_secret))


async def promote(visit: Visit) -> SeeOther:
    visit.need_proof()
    await visit.calls.change("promote_secret", key=visit.given("key"), id=visit.params["id"])
    return _back(visit, "promoted")


async def test(visit: Visit) -> ShownOnce:
    return ShownOnce("tested.html", EndpointTest(await _read(visit), await _tested(visit, {})))


async def test_new_secret(visit: Visit) -> ShownOnce:
    """Whether the endpoint accepts the new secret, before the old one ends."""
    result = await _tested(visit, {"secret": "next"})
    return ShownOnce("tested.html", EndpointTest(await _read(visit), result, with_new_secret=True))


async def test_and_resume(visit: Visit) -> SeeOther | ShownOnce:
    """Resume what is disabled, if a sample event arrives."""
    result = await _tested(visit, {})
    if not result.delivered:
        return ShownOnce("tested.html", EndpointTest(await _read(visit), result))
    return await resume(visit)


async def _tested(visit: Visit, body: Mapping[str, str]) -> TestResult:
    result = await visit.calls.change("test_subscription", body, id=visit.params["id"])
    return msgspec.json.decode(result, type=TestResult)


async def delete(visit: Visit) -> SeeOther:
    visit.need_name((await _read(visit)).name)
    await visit.calls.change("delete_subscription", key=visit.given("key"), id=visit.params["id"])
    return SeeOther("/subscriptions", "deleted")


PAGES = (
    Page(
        path="/subscriptions/{id}",
        section="Subscriptions",
        title="Subscription",
        template="subscription.html",
        view=view,
        forms={
            "pause": pause,
            "resume": resume,
            "skip": resume_at_the_end,
            "change": change,
            "rehearse": rehearse,
            "change-and-send": change_and_send,
            "limit": limit,
            "rotate": rotate,
            "promote": promote,
            "test": test,
            "test-new": test_new_secret,
            "test-resume": test_and_resume,
            "delete": delete,
        },
        done={
            "paused": "Paused. Nothing is sent, and nothing is lost: events wait.",
            "resumed": "Resumed. Waiting events are being sent now.",
            "skipped": "Resumed. Waiting events were skipped and replays cancelled; only new events are sent.",
            "changed": "Saved.",
            "sent": "Saved. What was missing is being sent, along with everything new.",
            "limited": LIMITED,
            "promoted": "The new secret is the only one now.",
        },
    ),
)
