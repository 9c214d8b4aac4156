"""Settings: what each is without being set, what it may be, and how a wrong one is named."""

import asyncio
import base64
import os
import re
import subprocess
import sys
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
import trustme
from gateway.tests.patience import PATIENCE

from signalpost.cli.app import app
from signalpost.cli.commands.serve import serve
from signalpost.domain.access.tenant_limits import TenantLimits
from signalpost.domain.errors import StartError, WrongSetting
from signalpost.files.content_types import KINDS
from signalpost.gateway import Gateway
from signalpost.given_settings import (
    PREFIX,
    read_settings,
    settings_in_force,
    show_settings,
    unknown_variables,
    variable_of,
)
from signalpost.sender.addresses import parse_allow_targets, parse_deny_targets, parse_nat64_prefixes
from signalpost.sender.egress_proxy import parse_egress_proxy
from signalpost.settings import SETTINGS, Settings

KEY = "sp_" + "aB9_-" * 8 + "xyz"
MASTER_KEY = bytes(range(32))
BASE64 = base64.b64encode(MASTER_KEY).decode()


def refusal(name: str, value: str, *, flag: bool = False) -> str:
    with pytest.raises(StartError) as raised:
        read_settings({} if flag else {variable_of(name): value}, {name: value} if flag else {})
    return str(raised.value)


def test_every_wrong_setting_is_named_not_the_first_alone() -> None:
    with pytest.raises(WrongSetting) as raised:
        read_settings({PREFIX + "PORT": "x", PREFIX + "HOST": "::"}, {"retention_days": "0"})
    assert [line.split(" must ")[0] for line in str(raised.value).splitlines()] == [
        "SIGNALPOST_PORT",
        "--retention-days",
    ]


def test_without_any_setting_each_has_its_default() -> None:
    assert read_settings({}, {}) == Settings()
    assert read_settings({"SIGNALPOST_URL": "x", "PORT": "1", "HOME": "/"}, {}) == Settings()
    assert Settings() == Settings(
        data_dir=Path("signalpost-data"),
        host="127.0.0.1",
        port=8080,
        files_url=None,
        file_kinds=tuple(KINDS),
        public_url=None,
        trusted_proxies=(),
        metrics_port=None,
        master_key=None,
        master_key_file=None,
        operator_key=None,
        allow_targets=(),
        deny_targets=(),
        nat64_prefixes=(),
        ca_file=None,
        retry_delays=(10, 60, 300),
        attempt_timeout=5.0,
        disable_after_days=5,
        in_flight=512,
        in_flight_per_tenant=512,
        in_flight_per_endpoint=128,
        retention_days=30,
        disk_reserve_mb=256,
        log_level="info",
        log_format="auto",
    )


def test_the_table_and_the_structure_name_the_same_settings() -> None:
    assert (*SETTINGS, "sources") == Settings.__struct_fields__


def test_serve_has_an_option_for_every_setting() -> None:
    options = [f"--{name.replace('_', '-')}={name}" for name in SETTINGS]
    command, bound, _ = app.parse_args(["serve", *options], exit_on_error=False, print_error=False)
    assert command is serve
    assert vars(bound.arguments["given"]) == {name: name for name in SETTINGS}


@pytest.mark.parametrize("name", SETTINGS)
def test_the_help_of_each_names_its_default_at_its_end(name: str) -> None:
    default = getattr(Settings(), name)
    shown = re.search(r"\. \[(.*)\]$", SETTINGS[name].help)
    assert shown
    if isinstance(default, tuple):
        assert shown[1] == ",".join(map(str, default))
    elif isinstance(default, float):
        assert float(shown[1]) == default
    elif default is not None:
        assert shown[1] == str(default)


GOOD: list[tuple[str, str, Any]] = [
    ("data_dir", "/srv/signalpost", Path("/srv/signalpost")),
    ("data_dir", "a folder", Path("a folder")),
    ("host", "::", "::"),
    ("host", "0.0.0.0", "0.0.0.0"),
    ("port", "0", 0),
    ("port", "65535", 65_535),
    ("port", "08080", 8080),
    ("files_url", "s3://bucket", "s3://bucket"),
    ("files_url", "s3://my.bucket-1/some/prefix_2/", "s3://my.bucket-1/some/prefix_2"),
    ("file_kinds", "pdf", ("pdf",)),
    ("file_kinds", " PDF, docx ,txt", ("pdf", "docx", "txt")),
    ("public_url", "https://signalpost.example.com", "https://signalpost.example.com"),
    ("public_url", "http://[::1]:8080/hooks/", "http://[::1]:8080/hooks"),
    ("tls_cert", "/etc/ssl/cert.pem", Path("/etc/ssl/cert.pem")),
    ("tls_key", "/etc/ssl/key.pem", Path("/etc/ssl/key.pem")),
    ("trusted_proxies", "127.0.0.1, 10.0.0.0/8,", (ip_network("127.0.0.1/32"), ip_network("10.0.0.0/8"))),
    ("metrics_port", "0", 0),
    ("metrics_port", "9090", 9090),
    ("master_key", BASE64, (MASTER_KEY,)),
    ("master_key_file", "/run/secrets/master", Path("/run/secrets/master")),
    ("operator_key", KEY, KEY),
    ("allow_targets", "", ()),
    ("allow_targets", "http://127.0.0.1:80", parse_allow_targets("http://127.0.0.1:80")),
    (
        "allow_targets",
        " https://a.b:1 , http://10.0.0.0/8:2,",
        parse_allow_targets("https://a.b:1,http://10.0.0.0/8:2"),
    ),
    ("deny_targets", "", ()),
    ("tenant_limits", "", TenantLimits()),
    ("tenant_limits", "documents=5, requestsPerSecond = 50", TenantLimits(documents=5, requests_per_second=50)),
    ("deny_targets", "10.0.0.0/8 , Evil.example,", parse_deny_targets("10.0.0.0/8,evil.example")),
    ("nat64_prefixes", "64:ff9b::/96", parse_nat64_prefixes("64:ff9b::/96")),
    ("egress_proxy", "http://a:b@proxy:3128", parse_egress_proxy("http://a:b@proxy:3128")),
    ("metrics_tenants", "", ()),
    ("metrics_tenants", " acme, globex ,acme", ("acme", "globex")),
    ("retry_delays", "", ()),
    ("retry_delays", "1", (1,)),
    ("retry_delays", " 10, 60 ,86400", (10, 60, 86_400)),
    ("retry_delays", ",".join("1" * 10), (1,) * 10),
    ("attempt_timeout", "0.1", 0.1),
    ("attempt_timeout", "60", 60.0),
    ("attempt_timeout", "2.125", 2.125),
    ("disable_after_days", "0", 0),
    ("disable_after_days", "365", 365),
    ("in_flight", "8", 8),
    ("in_flight", "1000", 1_000),
    ("in_flight_per_tenant", "2", 2),
    ("in_flight_per_endpoint", "1", 1),
    ("retention_days", "1", 1),
    ("retention_days", "3650", 3650),
    ("disk_reserve_mb", "0", 0),
    ("disk_reserve_mb", "1048576", 1_048_576),
    ("otel_exporter_otlp_endpoint", "http://127.0.0.1:4318/", "http://127.0.0.1:4318"),
    ("otel_exporter_otlp_endpoint", "https://[::1]/under", "https://[::1]/under"),
    ("otel_exporter_otlp_endpoint", "", None),
    ("otel_exporter_otlp_headers", "x-key=a%2Cb%3D, x-other = c", (("x-key", "a,b="), ("x-other", "c"))),
    ("otel_exporter_otlp_headers", "", ()),
    ("otel_service_name", "contracts", "contracts"),
    (
        "otel_resource_attributes",
        "deployment.environment=prod,team=a%20b,",
        (("deployment.environment", "prod"), ("team", "a b")),
    ),
    ("trace_ratio", "0", 0.0),
    ("trace_ratio", "0.01", 0.01),
    ("trace_ratio", "1", 1.0),
    ("trace_failures", "10", 10),
    ("log_level", "DEBUG", "debug"),
    ("log_level", "error", "error"),
    ("log_format", "json", "json"),
    ("log_format", "Text", "text"),
]
BAD: dict[str, tuple[list[str], str]] = {
    "tenant_limits": (
        ["documents", "documents=", "documents=-1", "documents=x", "pages=5", "documents=1,documents=2", "inFlight=0"],
        "must be NAME=NUMBER, separated by commas; the names are requestsPerSecond",
    ),
    "data_dir": (["", " "], "must not be empty; leave it out to get the default"),
    "host": (["", " "], "must not be empty; leave it out to get the default"),
    "port": (
        ["", "-1", "65536", "80 80", " 80", "80 ", "+80", "8080.0", "http", "0x50", "٨٠", "²", "9" * 5000],
        "must be a whole number from 0 to 65535",
    ),
    "files_url": (
        ["", "/srv/files", "file:///srv/files", "s3://", "s3:///prefix", "s3://Bucket", "s3://b", "s3://bucket//x",
         "s3://bucket/a b", "s3://bucket?x=y", "s3://key:secret@bucket", "https://bucket.s3.amazonaws.com"],
        "must be s3://bucket/prefix; leave it out for a folder in DATA_DIR",
    ),
    "file_kinds": (["", "exe", "pdf,,docx", "pdf;docx", "application/pdf", "*"], "must be some of pdf, docx, "),
    "public_url": (
        ["", " ", "example.com", "ftp://example.com", "https://", "https://u:p@example.com", "https://example.com?a=b",
         "https://example.com#x", "https://ex ample.com", "https://exämple.com", "https://example.com:99999",
         "https://example.com:0", 'https://example.com/"', "https://example.com/" + "x" * 512],
        "must be http(s)://host[:port][/path], such as https://signalpost.example.com",
    ),
    "tls_cert": (["", " "], "must not be empty; leave it out to get the default"),
    "tls_key": (["", " "], "must not be empty; leave it out to get the default"),
    "trusted_proxies": (["proxy.example", "10.0.0.1/8", "*"], ""),
    "metrics_port": (["", "-1", "65536", "none"], "must be a whole number from 0 to 65535"),
    "metrics_tenants": (
        ["Acme", "acme;globex", "acme,,globex", "-acme", "other", ",".join(f"t{number}" for number in range(51))],
        "",
    ),
    "master_key": (
        ["", "x", KEY, "é", BASE64[:-1], BASE64 + "AAAA", f" {BASE64}", base64.b64encode(bytes(31)).decode(),
         base64.b64encode(bytes(33)).decode(), BASE64.replace("A", "*", 1), MASTER_KEY.hex()],
        "must be 32 bytes as base64",
    ),
    "master_key_file": (["", " "], "must not be empty; leave it out to get the default"),
    "operator_key": (
        ["", "secret", KEY[:-1], KEY + "a", KEY.upper(), " " + KEY, KEY + "\n", KEY[:-1] + "é", KEY[:-1] + "="],
        "must be sp_ and 43 letters, digits, - or _",
    ),
    "egress_proxy": (["", "proxy:3128", "https://proxy:3128"], "must be http://[user:password@]host:port"),
    "ca_file": (["", "/nowhere/ca.pem", "/", __file__], "must be a "),
    "retry_delays": (
        ["0", "86401", "10,,60", "10;60", "10 60", "-1", "1.5", "x", "10,60,", "٣", "[10]"],
        "must be seconds from 1 to 86400, separated by commas, such as 10,60,300",
    ),
    "attempt_timeout": (
        ["", "0", "0.09", "60.1", "-5", "5s", "1e1", "nan", "inf", ".5", "5.", "0.0001", "٥", "061"],
        "must be seconds from 0.1 to 60",
    ),
    "disable_after_days": (["", "-1", "366", "5d"], "must be a whole number from 0 to 365"),
    "in_flight": (["", "0", "7", "1001", "many"], "must be a whole number from 8 to 1000"),
    "in_flight_per_tenant": (["", "1", "1001"], "must be a whole number from 2 to 1000"),
    "in_flight_per_endpoint": (["", "0", "1001"], "must be a whole number from 1 to 1000"),
    "retention_days": (["", "0", "3651", "-1", "1.5", "∞", "30d"], "must be a whole number from 1 to 3650"),
    "disk_reserve_mb": (["", "-1", "1048577", "1.5", "256M"], "must be a whole number from 0 to 1048576"),
    "otel_exporter_otlp_endpoint": (
        ["collector:4317", "grpc://collector:4317", "http://", "http://user:pw@collector", "http://collector/?a=b",
         "http://collector/#a", "http://col lector"],
        "must be an http(s) URL",
    ),
    "otel_exporter_otlp_headers": (["x-key", "=a", "x key=a", "x-key=a%0D%0Ab", "host=a", "content-length=1"], ""),
    "otel_service_name": ([" "], "must not be empty; leave it out to get the default"),
    "otel_resource_attributes": (["a", "=a", "a=b,c"], "must be name=value, separated by commas"),
    "trace_ratio": (["", "-0.1", "1.1", "2", "1%", "nan", ".5", "0.", "1e-3"], "must be a number from 0 to 1"),
    "trace_failures": (["", "-1", "1001", "many"], "must be a whole number from 0 to 1000"),
    "log_level": (["", "trace", "warn", "info "], "must be one of debug, info, warning, error"),
    "log_format": (["", "xml", "logfmt"], "must be one of auto, text, json"),
}  # fmt: skip


@pytest.mark.parametrize(("name", "text", "value"), GOOD)
def test_a_good_value_is_read_from_the_environment_and_from_a_flag(name: str, text: str, value: Any) -> None:
    assert getattr(read_settings({variable_of(name): text}, {}), name) == value
    assert getattr(read_settings({}, {name: text}), name) == value


@pytest.mark.parametrize(("name", "text"), [(name, text) for name, (texts, _) in BAD.items() for text in texts])
def test_a_bad_value_is_refused_with_the_variable_or_the_flag_and_what_it_must_be(name: str, text: str) -> None:
    must = BAD[name][1]
    assert refusal(name, text).startswith(f"{variable_of(name)} {must}")
    assert refusal(name, text, flag=True).startswith(f"--{name.replace('_', '-')} {must}")
    for message in (refusal(name, text), refusal(name, text, flag=True)):
        assert message.endswith(".")
        assert not message.endswith("..")


def test_secrets_are_not_repeated_in_the_refusal() -> None:
    for name in ("master_key", "operator_key", "egress_proxy"):
        assert "Passw0rd" not in refusal(name, "Passw0rd")
    # Of a header that is written as headers are sent, the name is all up to the key's last sign.
    for text in ("authorization: Bearer Passw0rd==", "x-key=a,x-key: Passw0rd=", "x-key=Passw0rd%0A"):
        assert "Passw0rd" not in refusal("otel_exporter_otlp_headers", text)


def test_more_than_ten_delays_are_refused() -> None:
    assert refusal("retry_delays", ",".join("1" * 11)) == "SIGNALPOST_RETRY_DELAYS can have at most ten delays."


@pytest.mark.parametrize(
    "entry",
    ["x", "127.0.0.1", "127.0.0.1:80", "http://127.0.0.1", "ftp://127.0.0.1:80", "http://127.0.0.1:0", "http://[::1:80",
     "http://10.0.0.1/8:80", "http://*:80", "http://127.0.0.1:80/path", "http://127.0.0.1:99999", "http://u@x:80"],
)  # fmt: skip
def test_a_bad_target_is_named(entry: str) -> None:
    message = refusal("allow_targets", f"https://fine.example:443, {entry}")
    assert message.startswith("SIGNALPOST_ALLOW_TARGETS ")
    assert f"“{entry}”" in message
    assert message.endswith(".")
    assert not message.endswith("..")


def test_a_secret_is_read_from_the_file_that_a_variable_names(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.touch(0o600)
    file.write_text(f"{KEY}\n")
    variables = {"SIGNALPOST_OPERATOR_KEY_FILE": str(file)}
    assert read_settings(variables, {}).operator_key == KEY
    assert unknown_variables(variables) == []
    [shown] = [each for each in show_settings(variables, {}) if each.name == "operator_key"]
    assert (shown.value, shown.source) == ("set", "environment")


def test_a_secret_in_a_file_is_refused_where_it_is_given_twice_missing_or_open_to_others(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    variables = {"SIGNALPOST_OPERATOR_KEY_FILE": str(file)}
    with pytest.raises(WrongSetting, match="SIGNALPOST_OPERATOR_KEY cannot be read from"):
        read_settings(variables, {})
    file.touch(0o644)
    with pytest.raises(WrongSetting, match="chmod 600"):
        read_settings(variables, {})
    with pytest.raises(WrongSetting, match="are both set"):
        read_settings(variables, {"operator_key": KEY})


def test_a_flag_wins_over_the_environment() -> None:
    environment = {"SIGNALPOST_PORT": "1", "SIGNALPOST_HOST": "a"}
    settings = read_settings(environment, {"port": "2"})
    assert (settings.port, settings.host) == (2, "a")
    # Also where the environment's is wrong: it is not used.
    assert read_settings({"SIGNALPOST_PORT": "x"}, {"port": "2"}).port == 2


def test_every_setting_is_shown_with_its_value_and_where_it_is_from() -> None:
    environment = {"SIGNALPOST_PORT": "1", "SIGNALPOST_HOST": "::", "SIGNALPOST_ALLOW_TARGETS": "http://10.0.0.0/8:2"}
    shown = {each.name: each for each in show_settings(environment, {"port": "2"})}
    assert list(shown) == list(SETTINGS)
    assert [(shown[name].value, shown[name].source) for name in ("port", "host", "allow_targets")] == [
        ("2", "flag"), ("::", "environment"), ("http://10.0.0.0/8:2", "environment"),
    ]  # fmt: skip
    for name, each in shown.items():
        assert each.help == SETTINGS[name].help
        if each.source == "default" and each.value is not None and not SETTINGS[name].secret:
            assert SETTINGS[name].read(each.value) == getattr(Settings(), name), "it can be given as it is shown"
    assert shown["metrics_port"].value is None


def test_a_variable_that_looks_like_a_setting_and_is_none_is_found() -> None:
    known = {variable_of(name): "x" for name in SETTINGS}
    of_commands = {f"SIGNALPOST_{name}": "x" for name in ("URL", "KEY", "TENANT", "SECRET", "NEXT_SECRET")}
    assert unknown_variables({**known, **of_commands, "PORT": "1", "MY_SIGNALPOST_X": "1"}) == []
    misspelt = dict.fromkeys(
        ("SIGNALPOST_RETENTION_DAY", "SIGNALPOST_port", "signalpost_host", "SIGNALPOST_COLOUR"), "1"
    )
    assert unknown_variables({**known, **misspelt}) == [
        "SIGNALPOST_COLOUR is not a setting. Remove it, or correct its name (signalpost serve --help).",
        "SIGNALPOST_RETENTION_DAY is not a setting; did you mean SIGNALPOST_RETENTION_DAYS?",
        "SIGNALPOST_port is not a setting; did you mean SIGNALPOST_PORT?",
        "signalpost_host is not a setting; did you mean SIGNALPOST_HOST?",
    ]


def test_a_misspelt_variable_is_named_beside_what_else_is_wrong() -> None:
    with pytest.raises(WrongSetting) as raised:
        read_settings({PREFIX + "PORTS": "1", PREFIX + "PORT": "x"}, {})
    assert [line.split(maxsplit=1)[0] for line in str(raised.value).splitlines()] == [
        "SIGNALPOST_PORTS",
        "SIGNALPOST_PORT",
    ]


def test_settings_that_are_printed_show_no_secret() -> None:
    shown = repr(Settings(port=1, master_key=(MASTER_KEY,), operator_key=KEY))
    assert repr(MASTER_KEY) not in shown
    assert KEY not in shown
    assert "port=1, " in shown
    assert "operator_key='set'" in shown
    assert "operator_key=None" in repr(Settings())


@pytest.mark.parametrize(("name", "value"), [("master_key", BASE64), ("operator_key", KEY)])
def test_of_a_secret_only_is_shown_whether_it_is_set(name: str, value: str) -> None:
    (given,) = (each for each in show_settings({variable_of(name): value}, {}) if each.name == name)
    assert (given.value, given.source) == ("set", "environment")
    (made,) = (each for each in show_settings({}, {"data_dir": "/srv"}) if each.name == name)
    assert (made.value, made.source) == (f"made in /srv/{name.replace('_', '-')}", "default")


@pytest.mark.parametrize(("name", "text", "value"), GOOD)
def test_a_setting_in_force_is_shown_as_it_can_be_given_and_a_secret_not_at_all(
    name: str, text: str, value: Any
) -> None:
    [shown] = [each for each in settings_in_force(read_settings({}, {name: text})) if each.name == name]
    if SETTINGS[name].secret:
        assert shown.value in ("set", "made at the first start", None)
    elif shown.value is not None:
        assert SETTINGS[name].read(shown.value) == value


def test_of_a_proxy_with_a_password_only_is_shown_that_it_is_set() -> None:
    for environment, shown in (({}, None), ({PREFIX + "EGRESS_PROXY": "http://a:pw@proxy:3128"}, "set")):
        assert [each.value for each in show_settings(environment, {}) if each.name == "egress_proxy"] == [shown]
    secret = {"database_url", "master_key", "operator_key", "egress_proxy", "oidc_client_secret"}
    secret.add("otel_exporter_otlp_headers")
    assert {name for name, each in SETTINGS.items() if each.secret} == secret


@pytest.mark.slow
def test_a_wrong_setting_stops_the_start_with_its_name(tmp_path: Path) -> None:
    binary = Path(sys.executable).with_name("signalpost")
    environment = {**os.environ, "SIGNALPOST_DATA_DIR": str(tmp_path / "data"), "SIGNALPOST_RETENTION_DAYS": "never"}
    ended = subprocess.run(
        [binary, "serve", "--port", "0"], env=environment, capture_output=True, text=True, timeout=PATIENCE
    )
    assert ended.returncode == 2
    assert ended.stderr == "signalpost: SIGNALPOST_RETENTION_DAYS must be a whole number from 1 to 3650.\n"
    assert ended.stdout == ""
    assert not (tmp_path / "data").exists()


def test_a_file_of_authorities_is_taken(tmp_path: Path) -> None:
    file = tmp_path / "ca.pem"
    trustme.CA().cert_pem.write_to_path(str(file))
    assert read_settings({}, {"ca_file": str(file)}).ca_file == file


@pytest.mark.parametrize(
    ("name", "content", "complaint"),
    [
        ("master-key", "garbage!", "must be 32 bytes as base64"),
        ("master-key", "", "must be 32 bytes as base64"),
        ("operator-key", "sp_é", "must be ASCII"),
        ("operator-key", "", "must be sp_ and 43"),
        ("operator-key", "short", "must be sp_ and 43"),
    ],
)
def test_a_damaged_key_file_stops_the_start_and_is_named(
    tmp_path: Path, name: str, content: str, complaint: str
) -> None:
    async def start() -> None:
        async with Gateway(Settings(data_dir=tmp_path)):
            pytest.fail("it started")

    (tmp_path / name).write_text(content, encoding="utf-8")
    (tmp_path / name).chmod(0o600)
    with pytest.raises(StartError, match=complaint) as raised:
        asyncio.run(start())
    assert str(tmp_path / name) in str(raised.value)
    assert (tmp_path / name).read_text(encoding="utf-8") == content, "it is left for whoever mends it"


def refused_start(settings: Settings) -> str:
    async def start() -> None:
        async with Gateway(settings):
            pytest.fail("it started")

    with pytest.raises(StartError) as raised:
        asyncio.run(start())
    return str(raised.value)


def test_a_key_that_others_could_have_read_stops_the_start(tmp_path: Path) -> None:
    (tmp_path / "master-key").write_text(BASE64)
    (tmp_path / "master-key").chmod(0o644)
    assert f"chmod 600 {tmp_path / 'master-key'}" in refused_start(Settings(data_dir=tmp_path))


def test_a_data_directory_that_others_can_write_stops_the_start_unless_no_key_lies_in_it(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    data.chmod(0o777)
    assert f"chmod go-w {data}" in refused_start(Settings(data_dir=data))
    assert not (data / "master-key").exists()

    async def start() -> None:
        async with Gateway(Settings(data_dir=data, master_key=(MASTER_KEY,), operator_key=KEY)):
            pass

    asyncio.run(start())


def test_the_master_key_is_read_from_the_file_that_is_named(tmp_path: Path) -> None:
    data, file = tmp_path / "data", tmp_path / "secrets" / "master"
    file.parent.mkdir(mode=0o700)
    settings = Settings(data_dir=data, master_key_file=file)
    assert str(file) in refused_start(settings)
    file.write_text(BASE64 + "\n")
    file.chmod(0o600)

    async def start(settings: Settings) -> None:
        async with Gateway(settings):
            pass

    asyncio.run(start(settings))
    assert not (data / "master-key").exists()
    asyncio.run(start(Settings(data_dir=data, master_key=(MASTER_KEY,))))
    assert "MASTER_KEY_FILE" in refused_start(Settings(data_dir=data, master_key=(MASTER_KEY,), master_key_file=file))
    (shown,) = (each for each in show_settings({}, {"master_key_file": str(file)}) if each.name == "master_key")
    assert shown.value == f"read from {file}"
