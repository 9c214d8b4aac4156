"""Which calls take an `Idempotency-Key`.

Generated from the gateway's route table by `python -m client.generator`; do not edit.
"""

KEYED = frozenset(
    {
        ("DELETE", "/v1/connections/{}"),
        ("DELETE", "/v1/documents/{}"),
        ("DELETE", "/v1/keys/{}"),
        ("DELETE", "/v1/members/{}"),
        ("DELETE", "/v1/portal-links/{}"),
        ("DELETE", "/v1/sources/{}"),
        ("DELETE", "/v1/subscriptions/{}"),
        ("DELETE", "/v1/subscriptions/{}/replays/{}"),
        ("DELETE", "/v1/tenants/{}"),
        ("PATCH", "/v1/connections/{}"),
        ("PATCH", "/v1/documents/{}"),
        ("PATCH", "/v1/members/{}"),
        ("PATCH", "/v1/subscriptions/{}"),
        ("PATCH", "/v1/tenants/{}"),
        ("POST", "/v1/connections"),
        ("POST", "/v1/connections/{}/disconnect"),
        ("POST", "/v1/documents"),
        ("POST", "/v1/documents/{}/actions"),
        ("POST", "/v1/documents/{}/erase"),
        ("POST", "/v1/documents/{}/versions"),
        ("POST", "/v1/documents/{}/versions/{}/publish"),
        ("POST", "/v1/keys"),
        ("POST", "/v1/members"),
        ("POST", "/v1/members/{}/invitation"),
        ("POST", "/v1/notices/{}/mute"),
        ("POST", "/v1/portal-links"),
        ("POST", "/v1/replays"),
        ("POST", "/v1/subscriptions"),
        ("POST", "/v1/subscriptions/{}/deliveries/{}/retry"),
        ("POST", "/v1/subscriptions/{}/promote"),
        ("POST", "/v1/subscriptions/{}/replays"),
        ("POST", "/v1/subscriptions/{}/secret/promote"),
        ("POST", "/v1/subscriptions/{}/secret/rotate"),
        ("POST", "/v1/tenants"),
        ("PUT", "/v1/documents/{}"),
        ("PUT", "/v1/sources/{}"),
    }
)
"""Each with its method; a step of the path that may be anything is `{}`."""
