"""Requests made up from the OpenAPI document: no crash, and answers as the document says."""

import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi import checks

from api.app import create_app
from tests.api.conftest import HEADERS, Backend

CHECKS = [
    not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
]

# Each way to break each condition of a policy, one by one, would be thousands of requests.
CONFIG = schemathesis.Config.from_dict(
    {
        "operations": [
            {"include-path-regex": "/policies", "phases": {"coverage": {"enabled": False}}}
        ]
    }
)

schema = schemathesis.openapi.from_asgi(
    "/openapi.json", create_app(Backend().services()), config=CONFIG
).exclude(
    path_regex="^/api/v1/(deliveries|events)"  # their cursors belong to Temporal
)


@schema.parametrize()
@settings(
    max_examples=10,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_any_request_is_answered_as_the_document_says(case):
    case.call_and_validate(headers=HEADERS, checks=CHECKS)
