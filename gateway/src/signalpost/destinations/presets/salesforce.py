"""The presets of Salesforce."""

from typing import Final

from signalpost.destinations.presets import Input, Preset
from signalpost.destinations.presets.conditions import UPDATED, becomes, is_known


def _status_of(what: str, record: str, field: str, value: str) -> Preset:
    return Preset(
        name=f"salesforce-executed-{what}",
        title=f"Signed contract → {what}",
        about=f"Once everyone has signed, changes the {what} whose id is the document's reference. Creates none.",
        body={
            "eventTypes": [UPDATED],
            "when": {"all": [becomes("executed"), is_known("referenceId")]},
            "config": {
                "object": record,
                "matchField": "Id",
                "matchValue": "{{ document.referenceId }}",
                "fields": {field: value},
            },
        },
        inputs=(
            Input(
                name="value",
                title=field,
                description=f"What the {what} is set to: a value that your organisation has.",
                pointer=f"/config/fields/{field}",
                example=value,
                default=value,
            ),
            Input(
                name="matchField",
                title="Found by",
                description="Id, or the external id field that has the document's reference.",
                pointer="/config/matchField",
                example="Contract_Number__c",
                default="Id",
            ),
            Input(
                name="matchValue",
                title="Has the value",
                description="The value by which the document's record is found in that field.",
                pointer="/config/matchValue",
                example="{{ document.externalId }}",
                default="{{ document.referenceId }}",
            ),
        ),
    )


PRESETS: Final = (
    _status_of("lead", "Lead", "Status", "Working - Contacted"),
    _status_of("opportunity", "Opportunity", "StageName", "Closed Won"),
)
