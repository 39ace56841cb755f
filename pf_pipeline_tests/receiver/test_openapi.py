"""The receiver keeps what its OpenAPI document promises, whatever the document allows."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, settings

from pf_pipeline.receiver import WEBHOOK_PATH
from pf_pipeline.receiver.openapi import DOCUMENT
from pf_pipeline_tests.receiver.builders import sign
from pf_pipeline_tests.receiver.running import Receiver, running_receiver

schema = schemathesis.openapi.from_dict(DOCUMENT)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Receiver]:
    with running_receiver(Path(tmp_path_factory.mktemp("openapi")) / "data") as running:
        yield running


@schema.parametrize()
@settings(deadline=None, max_examples=40, suppress_health_check=list(HealthCheck))
def test_answers_are_as_documented(case: Any, served: Receiver) -> None:  # noqa: ANN401
    answer = case.call(base_url=served.address)
    case.validate_response(answer)
    assert answer.status_code < 500 or answer.status_code == 503


@schema.include(path=WEBHOOK_PATH).parametrize()
@settings(deadline=None, max_examples=40, suppress_health_check=list(HealthCheck))
def test_signed_bodies_are_acknowledged(case: Any, served: Receiver) -> None:  # noqa: ANN401
    request = requests.Request(**case.as_transport_kwargs(base_url=served.address)).prepare()
    body = request.body or b""
    body = body if isinstance(body, bytes) else body.encode()
    assert served.post(body, sign(body)).status == 202


def test_the_document_is_served(served: Receiver) -> None:
    answer = served.ask("GET", "/openapi.json")
    assert answer.json() == DOCUMENT
