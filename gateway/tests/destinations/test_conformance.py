"""Every built-in kind keeps the promises that others are held to."""

from gateway.tests.destinations.kinds import PEM

from signalpost.destinations.google_calendar import GoogleCalendar
from signalpost.destinations.http import Http
from signalpost.destinations.mail import Smtp
from signalpost.destinations.registry import BUILT_IN
from signalpost.destinations.salesforce import Salesforce
from signalpost.destinations.slack import Slack
from signalpost.destinations.xero_bill import XeroBill
from signalpost.testing import Conformance, reply


def test_no_built_in_kind_is_left_out_here() -> None:
    assert {suite.kind for suite in Conformance.__subclasses__() if suite.__module__ == __name__} == set(BUILT_IN)


class TestSlackWebhook(Conformance):
    kind = Slack
    connection = {
        "signIn": {"with": "webhook", "url": "https://hooks.slack.com/services/T00000000/B00000000/abcdefghijklmnop"}
    }
    config = {"text": "*{{ document.title }}* is now {{ document.status }}."}
    accepted = reply(200, b"ok")


class TestSlackBot(Conformance):
    kind = Slack
    connection = {"signIn": {"with": "bot", "token": "xoxb-0123456789-abcdefghijkl", "channel": "#contracts"}}
    config = {"text": "*{{ document.title }}*", "oneThreadPerDocument": True}
    accepted = reply(200, {"ok": True, "channel": "C0123456789", "ts": "1503435956.000247"})


class TestSalesforce(Conformance):
    kind = Salesforce
    connection = {
        "domain": "https://example.my.salesforce.com",
        "signIn": {"with": "clientCredentials", "clientId": "3MVG9", "clientSecret": "1955279925675241571"},
    }
    config = {
        "object": "Contract__c",
        "matchField": "Number__c",
        "matchValue": "{{ document.externalId }}",
        "fields": {"Name": "{{ document.title }}", "Amount__c": "{{ document.contractValue }}", "Signed__c": True},
        "whenMissing": "create",
    }
    accepted = reply(201, {"id": "a015g00000ABCDEAA4", "success": True, "errors": []})


class TestSalesforceByJwt(Conformance):
    kind = Salesforce
    connection = {
        "domain": "https://example.my.salesforce.com",
        "signIn": {
            "with": "jwt", "clientId": "3MVG9", "username": "signalpost@example.com", "privateKey": PEM,
        },
    }  # fmt: skip
    config = {
        "object": "Opportunity",
        "matchValue": "{{ document.referenceId }}",
        "fields": {"StageName": "Closed Won"},
    }
    accepted = reply(204)


class TestGoogleCalendar(Conformance):
    kind = GoogleCalendar
    connection = {
        "signIn": {
            "with": "serviceAccount", "clientEmail": "me@example.iam.gserviceaccount.com", "privateKey": PEM,
        }
    }  # fmt: skip
    config = {
        "calendarId": "c_0123456789abcdef@group.calendar.google.com",
        "summary": "{{ document.title }} ends",
        "start": "{{ document.expiryDate | days: -30 | date }}",
        "lastDay": "{{ document.expiryDate | date }}",
    }
    accepted = (reply(404), reply(200, {"id": "sp0", "htmlLink": "https://www.google.com/calendar/event?eid=1"}))


class TestGoogleCalendarByConsent(Conformance):
    kind = GoogleCalendar
    connection = {"signIn": {"with": "consent", "clientId": "1.apps.example", "clientSecret": "GOCSPX-0123456789abcd"}}
    config = {"calendarId": "primary", "summary": "Ends", "start": "{{ document.executedAt }}", "minutes": 15}
    accepted = (reply(410), reply(409), reply(200, {"id": "sp0"}))


class TestXeroBill(Conformance):
    kind = XeroBill
    connection = {"signIn": {"with": "customConnection", "clientId": "0123ABCD", "clientSecret": "hJ0Tn5vPq2xY8cLd"}}
    config = {
        "contact": "{{ document.counterpartyName }}",
        "due": "{{ document.executedAt | days: 30 | date }}",
        "currency": "{{ document.additionalFacts.currency }}",
        "lines": [
            {"description": "{{ document.title }}", "unitAmount": "{{ document.contractValue }}", "accountCode": "400"}
        ],
    }
    accepted = (
        reply(200, {"Invoices": []}),
        reply(200, {"Invoices": [{"InvoiceID": "3e776c4b-ea9e-4bb1-96be-6b0c7a71a37f", "HasErrors": False}]}),
    )


class TestXeroBillByConsent(Conformance):
    kind = XeroBill
    connection = {"signIn": {"with": "consent", "clientId": "0123ABCD", "clientSecret": "hJ0Tn5vPq2xY8cLd"}}
    config = {
        "contact": "{{ document.title }}",
        "number": "{{ document.title }}",
        "due": "2026-12-31",
        "lines": [{"description": "", "unitAmount": 1, "accountCode": "400", "taxType": "INPUT"}],
    }
    accepted = (
        reply(200, {"Invoices": []}),
        reply(200, {"Invoices": [{"InvoiceID": "3e776c4b-ea9e-4bb1-96be-6b0c7a71a37f", "HasErrors": False}]}),
    )


class TestMail(Conformance):
    kind = Smtp
    connection = {
        "server": "smtps://smtp.example.com",
        "signIn": {"with": "password", "username": "signalpost@example.com", "password": "a password of ours"},
        "sender": "contracts@example.com",
        "senderName": "Contracts",
        "recipients": ["@example.com"],
    }
    config = {
        "to": ["legal@example.com", "{{ document.ownerEmail }}"],
        "subject": "{{ document.title }} is signed",
        "text": "With {{ document.counterpartyName }}.",
    }
    accepted = reply(250, b"2.0.0 Ok: queued as 4F2")
    refused = (reply(550, b"5.1.1 No such user"), reply(421, b"4.3.2 Busy"), reply(535, b"5.7.8 Wrong"))


class TestHttp(Conformance):
    kind = Http
    connection = {
        "origin": "https://api.example.com",
        "signIn": {
            "with": "clientCredentials",
            "tokenUrl": "https://login.example.com/oauth2/token",
            "clientId": "signalpost",
            "clientSecret": "a secret of mine",
        },
    }
    config = {
        "method": "PUT",
        "path": "/contracts/{{ document.externalId }}",
        "headers": {"x-title": "{{ document.title }}"},
        "json": {"value": "{{ document.contractValue }}", "parties": ["{{ document.counterpartyName }}"]},
    }
    accepted = reply(204)
