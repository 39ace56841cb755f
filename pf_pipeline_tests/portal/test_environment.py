import pytest

from pf_pipeline.portal import PermanentPortalError, TransientPortalError
from pf_pipeline_tests.portal.conftest import TOKEN, MakeClient
from pf_pipeline_tests.portal.samples import END, GUIDE_ANSWER, START
from pf_pipeline_tests.portal.scripted import ScriptedPortal, reply

DEAD = "http://user:pa55word@127.0.0.1:9"


@pytest.fixture(autouse=True)
def _no_proxy_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


def test_a_proxy_of_the_environment_is_used(
    portal: ScriptedPortal, make_client: MakeClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", portal.url)
    portal.plays(reply(GUIDE_ANSWER))
    make_client(url="http://portal.invalid").page(1, START, END)
    assert portal.requests[0].target.startswith("http://portal.invalid/v1/leads?")


def test_this_machine_is_never_reached_through_a_proxy(
    portal: ScriptedPortal, make_client: MakeClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", DEAD)
    portal.plays(reply(GUIDE_ANSWER))
    assert make_client().page(1, START, END).records


def test_a_dead_proxy_is_one_sentence_without_its_password(
    make_client: MakeClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", DEAD)
    with pytest.raises(TransientPortalError, match="cannot be reached") as caught:
        make_client(url="http://portal.invalid").page(1, START, END)
    assert "pa55word" not in str(caught.value)


def test_a_missing_certificate_bundle_is_permanent(
    make_client: MakeClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/no/such/bundle.pem")
    with pytest.raises(PermanentPortalError, match="REQUESTS_CA_BUNDLE"):
        make_client(url="https://127.0.0.1:9").page(1, START, END)


def test_netrc_does_not_replace_the_token(
    portal: ScriptedPortal,
    make_client: MakeClient,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    netrc = tmp_path_factory.mktemp("home") / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password else\n")
    monkeypatch.setenv("NETRC", str(netrc))
    portal.plays(reply(GUIDE_ANSWER))
    make_client().page(1, START, END)
    assert portal.requests[0].headers["Authorization"] == f"Bearer {TOKEN}"
