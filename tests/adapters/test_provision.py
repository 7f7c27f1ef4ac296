from datetime import timedelta
from pathlib import Path

import pytest
from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import (
    AddSearchAttributesRequest,
    ListSearchAttributesRequest,
)
from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest
from temporalio.client import Client
from temporalio.common import SearchAttributePair, TypedSearchAttributes

from portcall.adapters.provision import provision
from portcall.errors import ConfigurationError
from portcall.ids import EVENT_ID, SEARCH_ATTRIBUTES
from tests.fixtures.temporal import StartTemporal

MONTH = timedelta(days=30)


async def _retention(client: Client, namespace: str) -> timedelta:
    described = await client.workflow_service.describe_namespace(
        DescribeNamespaceRequest(namespace=namespace)
    )
    return described.config.workflow_execution_retention_ttl.ToTimedelta()


async def test_a_new_namespace_is_made_with_its_retention_and_can_be_used_at_once(
    temporal_client: Client,
) -> None:
    done = await provision(temporal_client, "fresh", MONTH)
    assert done[0] == "namespace fresh, retention 30d"
    assert await _retention(temporal_client, "fresh") == MONTH

    client = await Client.connect(
        temporal_client.service_client.config.target_host, namespace="fresh"
    )
    await client.start_workflow(
        "Nobody",
        id="one",
        task_queue="none",
        search_attributes=TypedSearchAttributes([SearchAttributePair(EVENT_ID, "e1")]),
    )
    assert await client.count_workflows("EventId IS NULL") is not None


async def test_a_second_run_finds_nothing_to_do(temporal_client: Client) -> None:
    await provision(temporal_client, "default", MONTH)
    assert await provision(temporal_client, "default", MONTH) == []


async def test_another_retention_is_taken_over(temporal_client: Client) -> None:
    await provision(temporal_client, "kept", MONTH)
    assert await provision(temporal_client, "kept", timedelta(days=7)) == ["retention 30d → 7d"]
    assert await _retention(temporal_client, "kept") == timedelta(days=7)


async def test_a_retention_that_temporal_refuses_names_the_setting(temporal_client: Client) -> None:
    with pytest.raises(ConfigurationError, match="PORTCALL_LOG_RETENTION"):
        await provision(temporal_client, "default", timedelta(seconds=1))


async def test_all_search_attributes_are_registered_with_their_types(
    temporal_client: Client,
) -> None:
    answer = await temporal_client.operator_service.list_search_attributes(
        ListSearchAttributesRequest(namespace="default")
    )
    registered = {key.name: answer.custom_attributes.get(key.name) for key in SEARCH_ATTRIBUTES}
    assert registered == {key.name: int(key.indexed_value_type) for key in SEARCH_ATTRIBUTES}


async def _own_server(start_temporal: StartTemporal, tmp_path: Path, **types: str) -> Client:
    server = await start_temporal(tmp_path)
    client = await Client.connect(server.address)
    kinds = {n: IndexedValueType.Value(f"INDEXED_VALUE_TYPE_{t}") for n, t in types.items()}
    await client.operator_service.add_search_attributes(
        AddSearchAttributesRequest(namespace="default", search_attributes=kinds)
    )
    return client


async def test_a_name_with_another_type_is_refused_in_words(
    start_temporal: StartTemporal, tmp_path: Path
) -> None:
    client = await _own_server(start_temporal, tmp_path, Attempts="KEYWORD")
    with pytest.raises(ConfigurationError, match="Attempts of namespace default is Keyword"):
        await provision(client, "default", MONTH)


async def test_a_full_namespace_is_refused_in_words(
    start_temporal: StartTemporal, tmp_path: Path
) -> None:
    theirs = {f"Theirs{number}": "KEYWORD" for number in range(5)}
    client = await _own_server(start_temporal, tmp_path, **theirs)
    with pytest.raises(ConfigurationError, match="no room for Portcall's search attributes"):
        await provision(client, "default", MONTH)
