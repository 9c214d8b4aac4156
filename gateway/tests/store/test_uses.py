"""The contract of a store: how much a tenant has of what can be limited is kept, and right after every commit."""

from itertools import count
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from signalpost.commands.tenants import ChangeTenant
from signalpost.commands.versions import AddVersion, PublishVersion
from signalpost.domain.access.tenant_limits import LimitsPatch, TenantUse
from signalpost.domain.documents.version import Number, StoredFile
from signalpost.domain.errors import Forbidden
from signalpost.domain.subscription import Subscription
from signalpost.store.nouns.documents import DocumentFilter

if TYPE_CHECKING:
    from collections.abc import Callable

    from gateway.tests.store.conftest import Play, Shop, Tools

TENANT = 1
_NAMES = count(1)
"""Names of files: each file has one of its own."""
_STEPS = st.tuples(
    st.sampled_from(["create", "delete", "revive", "edit", "upload", "publish", "subscribe", "unsubscribe", "apart"]),
    st.integers(1, 3),
    st.integers(1, 1_000),
)


def upload(make: "type[Tools]", number: int, size: int, *, publish: bool = False) -> AddVersion:
    file = StoredFile(f"{next(_NAMES):032x}", size, b"x" * 32, "application/pdf")
    return AddVersion(tenant_id=TENANT, document_id=make.document_id(number), file=file, publish=publish, by="desk")


def command(make: "type[Tools]", what: str, number: int, size: int) -> Any:
    document_id = make.document_id(number)
    match what:
        case "create":
            return make.create(number)
        case "delete":
            return make.delete(number)
        case "revive":
            return make.put(number, size)
        case "edit":
            return make.edit(number, title=f"title {size}")
        case "upload":
            return upload(make, number, size, publish=size % 2 == 0)
        case "publish":
            draft = Number(0, 1 + size % 3)
            return PublishVersion(tenant_id=TENANT, document_id=document_id, version_number=draft, by="desk")
        case "subscribe":
            return make.subscribe(number)
        case _:
            return make.unsubscribe(number)


@pytest.mark.slow
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(_STEPS, max_size=30))
def test_what_is_kept_is_what_there_is_whatever_is_done_alone_or_in_one_batch(
    fresh_play: "Callable[[], Play]", make: "type[Tools]", steps: list[tuple[str, int, int]]
) -> None:
    """A command that is impossible is refused, and changes nothing."""

    async def scenario(shop: "Shop") -> None:
        batch: list[Any] = []
        made: set[tuple[str, int]] = set()
        for what, number, size in [*steps, ("apart", 0, 0)]:
            if what == "apart":
                await shop.publish(*batch) if batch else None
                batch = []
                assert await shop.store.access.use(TENANT) == await counted(shop)
            elif what not in ("create", "subscribe") or (what, number) not in made:  # an id is given once
                made |= {("create" if what == "revive" else what, number)}
                batch.append(command(make, what, number, size))

    fresh_play()(scenario)


async def counted(shop: "Shop") -> TenantUse:
    """What there is, counted: of each file once."""
    documents = (await shop.store.documents.page(TENANT, DocumentFilter(), None, 250)).data
    files: dict[str, int] = {}
    for row in documents:
        versions = await shop.store.versions.page(TENANT, row.external_id, None, 250)
        files |= {version.file.name: version.file.size for version in versions}
    subscriptions = await shop.store.lists.every(Subscription)
    return TenantUse(documents=len(documents), subscriptions=len(subscriptions), file_bytes=sum(files.values()))


def test_what_arrives_together_does_not_get_past_a_limit_together(play: "Play", make: "type[Tools]") -> None:
    async def scenario(shop: "Shop") -> None:
        limits = LimitsPatch(documents=3, subscriptions=2, file_bytes=100)
        await shop.do(ChangeTenant(tenant_id=TENANT, name="default", limits=limits))
        created = await shop.publish(*(make.create(number) for number in range(1, 6)))
        assert [getattr(each, "code", None) for each in created.results] == [None] * 3 + ["document_limit"] * 2
        subscribed = await shop.publish(*(make.subscribe(number) for number in range(1, 4)))
        assert [getattr(each, "code", None) for each in subscribed.results] == [None] * 2 + ["subscription_limit"]
        uploads = await shop.publish(*(upload(make, number, size) for number, size in ((1, 60), (2, 41), (3, 40))))
        assert [getattr(each, "code", None) for each in uploads.results] == [None, "file_limit", None]
        assert await shop.store.access.use(TENANT) == TenantUse(documents=3, subscriptions=2, file_bytes=100)

        # What is deleted, in the same batch too, leaves room; files do so with the next.
        again = await shop.publish(make.delete(1), make.put(4, 1), make.unsubscribe(1), make.subscribe(3))
        assert not [each for each in again.results if isinstance(each, Exception)]
        await shop.do(upload(make, 2, 60))
        assert await shop.store.access.use(TENANT) == TenantUse(documents=3, subscriptions=2, file_bytes=100)
        with pytest.raises(Forbidden):
            await shop.do(upload(make, 2, 1))
        await shop.reopen()
        assert (await shop.store.access.tenants())[-1].limits.documents == 3

        # A lower limit takes nothing away, and a publication brings no bytes.
        await shop.do(ChangeTenant(tenant_id=TENANT, name="default", limits=LimitsPatch(documents=0, file_bytes=0)))
        await shop.do(make.edit(2, title="another"))
        await shop.do(
            PublishVersion(tenant_id=TENANT, document_id=make.document_id(2), version_number=Number(0, 1), by="desk")
        )

    play(scenario)
