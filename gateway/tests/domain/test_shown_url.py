"""What is shown of an endpoint's URL, and what a client means that sends it back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signalpost.domain.checks import Bad
from signalpost.domain.endpoint import parse_url
from signalpost.domain.shown_url import STRUCK, meant_url, shown_url

TOKEN = "Qx7canary"
HOSTS = st.sampled_from(["receiver.example.com", "hooks.slack.com", "HOOKS.ZAPIER.COM:8443", "[2606:4700:4700::1111]"])
RESTS = st.just("") | st.builds("{}{}".format, st.sampled_from("/?"), st.text("ab*=&/?%;-", max_size=20))
URLS = st.builds("https://{}{}".format, HOSTS, RESTS)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://example.com", "https://example.com"),
        ("https://example.com/a/b;c=d/", "https://example.com/a/b;c=d/"),
        (f"https://example.com/in?sig={TOKEN}", "https://example.com/in?sig=***"),
        (f"https://example.com?sig={TOKEN}&v=2", "https://example.com?sig=***&v=***"),
        (f"https://example.com/?{TOKEN}", "https://example.com/?***"),
        (f"https://example.com/?{TOKEN}==", "https://example.com/?***"),
        (f"https://example.com/?a={TOKEN}?b={TOKEN}", "https://example.com/?a=***"),
        ("https://example.com/?", "https://example.com/?"),
        ("https://example.com/?a=1&&b=2", "https://example.com/?a=***&&b=***"),
        (f"https://hooks.slack.com/services/T0/B0/{TOKEN}", "https://hooks.slack.com/services/T0/B0/***"),
        (f"https://Hooks.Slack.com:443/services/T0/B0/{TOKEN}", "https://Hooks.Slack.com:443/services/T0/B0/***"),
        (f"https://hooks。slack。com/services/T0/B0/{TOKEN}", "https://hooks。slack。com/services/T0/B0/***"),
        (f"https://hooks.slack.com//services/T0/B0/{TOKEN}", "https://hooks.slack.com//services/T0/***/***"),
        (f"https://hooks.zapier.com/hooks/catch/12/{TOKEN}/", "https://hooks.zapier.com/hooks/catch/12/***/"),
        (f"https://ptb.discord.com/api/webhooks/1/{TOKEN}", "https://ptb.discord.com/api/webhooks/1/***"),
        (f"https://a.webhook.office.com/webhookb2/{TOKEN}/x", "https://a.webhook.office.com/webhookb2/***/***"),
        (f"https://hook.eu1.make.com/{TOKEN}", "https://hook.eu1.make.com/***"),
        (f"https://notdiscord.com/api/webhooks/1/{TOKEN}", f"https://notdiscord.com/api/webhooks/1/{TOKEN}"),
        (f"nowhere/{TOKEN}", "***"),
    ],
)
def test_values_and_known_tokens_are_struck_out(url: str, shown: str) -> None:
    assert shown_url(url) == shown


@given(URLS)
def test_what_is_shown_is_shown_as_it_is_and_leads_to_the_same_host(url: str) -> None:
    shown = shown_url(url)
    assert shown_url(shown) == shown
    assert parse_url(shown).target == parse_url(url).target


@given(URLS, URLS)
def test_a_url_as_it_is_shown_means_the_present_one_and_no_other_can_be_sent_to_struck(url: str, other: str) -> None:
    assert meant_url(shown_url(url), url) == url
    if shown_url(url) != url and shown_url(other) != shown_url(url):
        with pytest.raises(Bad, match="Give the whole URL"):
            meant_url(shown_url(url), other)


def test_a_url_with_something_struck_out_is_none_without_a_present_one() -> None:
    for url in ("https://example.com/?a=***", "https://example.com/?a=b***", "https://hooks.slack.com/a/b/c/***"):
        with pytest.raises(Bad):
            meant_url(url, None)


@pytest.mark.parametrize("url", ["https://example.com/***", "https://example.com/?***=1", "https://example.com/?a=**"])
def test_asterisks_elsewhere_are_a_url_s_own(url: str) -> None:
    assert meant_url(url, None) == url
    assert STRUCK not in meant_url("https://example.com/?a=%2A%2A%2A", None)
