"""The rules of the model that the gateway does not keep yet. Worlds find each of them broken."""

NOT_KEPT_YET = ("rows",)
