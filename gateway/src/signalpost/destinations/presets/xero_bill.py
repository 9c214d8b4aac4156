"""The presets of bills in Xero."""

from typing import Final

from signalpost.destinations.presets import Input, Preset
from signalpost.destinations.presets.conditions import UPDATED, becomes, is_known

PRESETS: Final = (
    Preset(
        name="xero-bill-executed",
        title="Signed contract → draft bill",
        about="Creates a draft bill for a contract with a value once everyone has signed.",
        body={
            "eventTypes": [UPDATED],
            "when": {
                "all": [
                    becomes("executed"),
                    {"field": "document.contractValue", "above": 0},
                    is_known("counterpartyName"),
                ]
            },
            "config": {
                "contact": "{{ document.counterpartyName }}",
                "number": "{{ document.externalId }}",
                "due": "{{ document.executedAt | days: 30 | date }}",
                "amountsAre": "Exclusive",
                "lines": [
                    {
                        "description": "{{ document.title }}",
                        "unitAmount": "{{ document.contractValue }}",
                        "accountCode": "400",
                    }
                ],
            },
        },
        inputs=(
            Input(
                name="accountCode",
                title="Account",
                description="The code of the account, from the chart of accounts.",
                pointer="/config/lines/0/accountCode",
                example="429",
            ),
            Input(
                name="due",
                title="Due",
                description="When the bill is due.",
                pointer="/config/due",
                example="{{ document.executedAt | days: 14 | date }}",
                default="{{ document.executedAt | days: 30 | date }}",
            ),
            Input(
                name="amountsAre",
                title="Amounts are",
                description="Exclusive of tax, Inclusive, or NoTax.",
                pointer="/config/amountsAre",
                example="Inclusive",
                default="Exclusive",
            ),
        ),
    ),
)
