"""What the directory lists is listed once for all who ask: with very many subscriptions that takes milliseconds."""

from gateway.tests.engine.subscriptions import subscription
from msgspec.structs import replace

from signalpost.domain.subscription import Subscription
from signalpost.engine.directory import Directory
from signalpost.store.store import PublishedBatch


def changed(directory: Directory, *subscriptions: Subscription) -> None:
    directory.follow(PublishedBatch((), rows={Subscription: subscriptions}))


def test_a_tenants_subscriptions_are_listed_anew_only_when_one_of_them_changed() -> None:
    directory, (first, second, third) = Directory(), [subscription(number=number) for number in (1, 2, 3)]
    directory.load([], [], [second, first], [])
    known = directory.subscriptions(1)
    assert known == (first, second)
    changed(directory, subscription(tenant_id=2, number=4))
    assert directory.subscriptions(1) is known
    changed(directory, third)
    assert directory.subscriptions(1) == (first, second, third)
    renamed = replace(second, name="b")
    changed(directory, renamed)
    assert directory.subscriptions(1) == (first, renamed, third)
    changed(directory, replace(first, deleted_at=9))
    assert directory.subscriptions(1) == (renamed, third)
    directory.load([], [], [third], [])
    assert directory.subscriptions(1) == (third,)


def test_originals_are_all_but_shadows() -> None:
    directory, original = Directory(), subscription(number=1)
    shadow = replace(subscription(number=2), shadow_of=original.id)
    directory.load([], [], [original], [])
    known = directory.originals(1)
    assert known == (original,)
    assert directory.originals(1) is known
    changed(directory, shadow)
    assert (directory.originals(1), directory.subscriptions(1)) == ((original,), (original, shadow))
    changed(directory, replace(shadow, shadow_of=None))
    assert len(directory.originals(1)) == 2
