"""The rules of the model that the gateway does not keep yet. Worlds find each of them broken."""

NOT_KEPT_YET = ("when", "change when", "still", "latest", "wait", "retry of refused", "count", "changes", "settling",
                "versions", "not in log", "not in audit", "erased files")  # fmt: skip
