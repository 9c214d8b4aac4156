"""What others wrote comes into mails without characters that make it look like something else."""

import sys
from email import message_from_bytes, policy
from unicodedata import category

from signalpost.destinations.calls import Mail
from signalpost.engine.connectors.mail_wire import written_mail

JOINERS = "\u200c\u200d"
UNSEEN = [chr(each) for each in range(sys.maxunicode + 1) if category(chr(each)) in ("Cc", "Cf")]


def written(subject: str, text: str) -> tuple[str, str]:
    mail = Mail(
        url="smtps://mail.example", login=None, sender="us@example.com", sender_name="", to=("ada@example.com",),
        subject=subject, text=text, key="k",
    )  # fmt: skip
    read = message_from_bytes(written_mail(mail, 0), policy=policy.default)
    return str(read["subject"]), read.get_content().replace("\r\n", "\n")  # as lines end on the wire


def test_neither_subject_nor_text_of_a_mail_has_a_control_or_format_character_but_joiners() -> None:
    subject, text = written(f"a{''.join(UNSEEN)}b", f"a{''.join(UNSEEN)}b")
    assert {each for each in subject if category(each) in ("Cc", "Cf")} <= {*JOINERS}
    assert {each for each in text if category(each) in ("Cc", "Cf")} <= {*JOINERS, "\n", "\t"}


def test_a_mark_of_direction_goes_and_its_word_stays_whole() -> None:
    assert written("Invoice\u202efdp\u202c.exe", "a\u2066b\u200e") == ("Invoicefdp.exe", "ab\n")


def test_joiners_that_scripts_are_written_with_stay() -> None:
    for kept in ("می\u200cخواهم", "क्\u200dष", "👩\u200d👩\u200d👧"):
        subject, text = written(kept, kept)
        assert (subject, text.rstrip("\n")) == (kept, kept)
