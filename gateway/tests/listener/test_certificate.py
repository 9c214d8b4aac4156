"""Certificate files that can be used, and what is said of those that cannot."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
import trustme
from cryptography.hazmat.primitives import serialization

from signalpost.domain.errors import StartError
from signalpost.listener.certificate import LOOK_SECONDS, Certificate


def written(leaf: trustme.LeafCert, folder: Path) -> tuple[Path, Path]:
    cert, key = folder / "cert.pem", folder / "key.pem"
    cert.write_bytes(leaf.cert_chain_pems[0].bytes())
    key.touch(0o600)
    key.write_bytes(leaf.private_key_pem.bytes())
    return cert, key


def refusal(cert: Path, key: Path) -> str:
    with pytest.raises(StartError) as refused:
        Certificate(cert, key)
    said = str(refused.value)
    assert said.startswith("TLS_CERT and TLS_KEY cannot be used. ")
    assert said.endswith((".", str(key.parent), str(key)))
    return said


def test_what_cannot_be_used_is_refused_with_the_reason(authority: trustme.CA, tmp_path: Path) -> None:
    cert, key = written(authority.issue_cert("a.example"), tmp_path)
    nowhere = tmp_path / "nowhere.pem"
    assert f"{nowhere} cannot be read: No such file" in refusal(cert, nowhere)
    assert f"{nowhere} cannot be read: No such file" in refusal(nowhere, key)
    assert "must be a PEM file" in refusal(key, key)
    other = tmp_path / "other"
    other.mkdir()
    assert "is not that of the certificate" in refusal(cert, written(authority.issue_cert("b.example"), other)[1])


def test_a_key_that_others_may_read_is_refused(authority: trustme.CA, tmp_path: Path) -> None:
    cert, key = written(authority.issue_cert("a.example"), tmp_path)
    key.chmod(0o644)
    assert "Other users may read" in refusal(cert, key)
    key.chmod(0o600)
    tmp_path.chmod(0o777)
    assert "Other users may write" in refusal(cert, key)


def test_a_key_with_a_password_is_refused_and_nobody_is_asked_for_it(authority: trustme.CA, tmp_path: Path) -> None:
    leaf = authority.issue_cert("a.example")
    cert, key = written(leaf, tmp_path)
    loaded = serialization.load_pem_private_key(leaf.private_key_pem.bytes(), None)
    key.write_bytes(
        loaded.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.BestAvailableEncryption(b"pw")
        )
    )
    assert "password" in refusal(cert, key)


def test_it_says_when_the_certificate_ends_that_new_connections_get(authority: trustme.CA, tmp_path: Path) -> None:
    """No connection need have come since the files were replaced: workers may take all of them."""
    now, ends = 0.0, datetime(2031, 5, 4, 3, 2, 1, tzinfo=UTC)
    cert, key = written(authority.issue_cert("one.example", not_after=ends), tmp_path)
    certificate = Certificate(cert, key, lambda: now)
    assert certificate.ends() == ends.timestamp()
    cert.write_bytes(b"half a certifi")
    now += LOOK_SECONDS
    assert certificate.ends() == ends.timestamp(), "the last good one is in use"
    later = ends.replace(year=2032)
    written(authority.issue_cert("one.example", not_after=later), tmp_path)
    now += LOOK_SECONDS
    assert certificate.ends() == later.timestamp()


def test_files_are_looked_at_once_a_second_also_behind_links(authority: trustme.CA, tmp_path: Path) -> None:
    """Secrets are mounted into containers so: as a link to a folder, which is exchanged."""
    now = 0.0
    for version in ("one", "two"):
        (tmp_path / version).mkdir()
        written(authority.issue_cert("a.example"), tmp_path / version)
    link = tmp_path / "now"
    link.symlink_to("one")
    certificate = Certificate(link / "cert.pem", link / "key.pem", lambda: now)
    first = certificate.context()
    (tmp_path / "next").symlink_to("two")
    (tmp_path / "next").rename(link)
    assert certificate.context() is first
    now += LOOK_SECONDS
    second = certificate.context()
    assert second is not first
    now += LOOK_SECONDS
    assert certificate.context() is second
