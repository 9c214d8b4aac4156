"""The rules of the model that the gateway does not keep yet. Worlds find each of them broken."""

NOT_KEPT_YET = (
    "when", "change when", "wait", "retry of refused", "count", "changes", "reading", "rows", "not in log",
    "not in audit", "erased files", "order", "settling",
)  # fmt: skip
