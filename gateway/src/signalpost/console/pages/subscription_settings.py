"""The settings of one subscription: as they are, then as a form to change them; and its end."""

from typing import Any, Final

from msgspec import UNSET, Struct
from msgspec.structs import replace

from signalpost.api.routing.shapes.rehearsals import Rehearsal
from signalpost.api.routing.shapes.subscriptions import Subscription
from signalpost.console.condition_form import ConditionForm, condition_form, is_condition_edited, typed_condition
from signalpost.console.contacts_form import CONTACTS, contacts_line, typed_contacts
from signalpost.console.delay_form import AfterForm, after_form, edited_after
from signalpost.console.objective_form import ObjectiveForm, edited_objective, objective_form
from signalpost.console.page import Page, SeeOther, ShownOnce, Visit, whole
from signalpost.console.pages.connections import kinds
from signalpost.console.pages.rehearsals import of_change
from signalpost.console.pages.subscription import back, need_change, patch, read
from signalpost.console.schema_form import SchemaForm, schema_form, typed_below

CONFIG = "config."
"""What the names of a form's fields begin with that are members of the config."""
_HEADER = "header."
"""What the names of those fields begin with that ask for a header's value."""
_YES_OR_NO: Final = {"yes": True, "no": False}


class SettingsView(Struct, frozen=True):
    subscription: Subscription
    version: str
    """The version that is shown, so that a form changes no other one."""
    form: SchemaForm | None
    """What a vendor gets; None for a webhook, and if its kind is not installed."""
    when: ConditionForm
    after: AfterForm
    contacts: str
    objective: ObjectiveForm
    rehearsal: Rehearsal | None = None
    """What the change in the form would have sent, if that was asked for."""


async def view(visit: Visit) -> SettingsView:
    subscription, version = await visit.calls.read_version("read_subscription", Subscription, id=visit.params["id"])
    return SettingsView(
        subscription=subscription,
        version=version,
        form=await _form(visit, subscription),
        when=condition_form("when.", "/when", subscription.when, visit.form),
        after=after_form(subscription.after, visit.form),
        contacts=contacts_line(subscription.contacts),
        objective=objective_form(subscription.objective),
    )


async def view_form(visit: Visit) -> SettingsView:
    need_change(visit)
    return await view(visit)


async def _form(visit: Visit, subscription: Subscription) -> SchemaForm | None:
    """The config of a subscription as a form."""
    if subscription.config is UNSET:
        return None
    kind = next((each for each in await kinds(visit) if each.kind == subscription.kind), None)
    if kind is None:
        return None
    return schema_form(kind.config, typed_below(CONFIG, visit.form), "/config", subscription.config)


async def change(visit: Visit) -> SeeOther:
    await patch(visit, await _changed(visit))
    return back(visit, "changed", "/settings")


async def rehearse(visit: Visit) -> ShownOnce:
    """What the change in the form would have sent of the last days."""
    found = await of_change(visit, await _changed(visit), visit.params["id"])
    return ShownOnce("subscription_form.html", replace(await view(visit), rehearsal=found))


async def change_and_send(visit: Visit) -> SeeOther:
    """Saves what is in the form, and sends what its rehearsal found missing."""
    await change(visit)
    body, key = {"rehearsal": visit.given("rehearsal")}, visit.given("key")
    await visit.calls.change("start_replay", body, key=key and f"{key}-send", id=visit.params["id"])
    return back(visit, "sent")


async def _changed(visit: Visit) -> dict[str, Any]:
    """What a person edited in the form."""
    subscription = await read(visit)
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


class DeletionView(Struct, frozen=True):
    subscription: Subscription


async def view_deletion(visit: Visit) -> DeletionView:
    need_change(visit)
    return DeletionView(await read(visit))


async def delete(visit: Visit) -> SeeOther:
    visit.need_name((await read(visit)).name)
    await visit.calls.change("delete_subscription", key=visit.given("key"), id=visit.params["id"])
    return SeeOther("/subscriptions", "deleted")


PAGES = (
    Page(
        path="/subscriptions/{id}/settings",
        section="Subscriptions",
        title="Settings",
        template="subscription_settings.html",
        view=view,
        done={"changed": "Saved."},
    ),
    Page(
        path="/subscriptions/{id}/settings/edit",
        section="Subscriptions",
        title="Change the settings",
        template="subscription_form.html",
        view=view_form,
        forms={"change": change, "rehearse": rehearse, "change-and-send": change_and_send},
    ),
    Page(
        path="/subscriptions/{id}/delete",
        section="Subscriptions",
        title="Delete",
        template="subscription_delete.html",
        view=view_deletion,
        forms={"delete": delete},
    ),
)
