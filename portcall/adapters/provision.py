"""Makes a Temporal namespace fit for Portcall: existence, retention, search attributes."""

import asyncio
import time
from datetime import timedelta

from google.protobuf.duration_pb2 import Duration
from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.namespace.v1 import NamespaceConfig
from temporalio.api.operatorservice.v1 import (
    AddSearchAttributesRequest,
    ListSearchAttributesRequest,
)
from temporalio.api.workflowservice.v1 import (
    CountWorkflowExecutionsRequest,
    DescribeNamespaceRequest,
    RegisterNamespaceRequest,
    UpdateNamespaceRequest,
)
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from portcall.durations import format_duration
from portcall.errors import ConfigurationError, EngineUnavailableError
from portcall.ids import SEARCH_ATTRIBUTES


async def provision(
    client: Client, namespace: str, retention: timedelta, *, wait: float = 60
) -> list[str]:
    """Bring the namespace to what Portcall needs and give what had to be done, in words.

    Returns once workflows can use the search attributes: servers read them with a delay.
    Raises ConfigurationError where a name is taken or the namespace has no room.
    """
    try:
        done = await _keep_namespace(client, namespace, retention)
        done += await _add_search_attributes(client, namespace, wait)
        await _usable(client, namespace, wait)
    except RPCError as error:
        if error.status is RPCStatusCode.PERMISSION_DENIED:
            raise ConfigurationError(f"Temporal allows no administration: {error}") from None
        raise EngineUnavailableError(f"Temporal does not answer: {error}") from error
    return done


async def _keep_namespace(client: Client, namespace: str, retention: timedelta) -> list[str]:
    period = Duration()
    period.FromTimedelta(retention)
    service = client.workflow_service
    try:
        described = await service.describe_namespace(DescribeNamespaceRequest(namespace=namespace))
        kept = described.config.workflow_execution_retention_ttl.ToTimedelta()
        if kept == retention:
            return []
        config = NamespaceConfig(workflow_execution_retention_ttl=period)
        await service.update_namespace(UpdateNamespaceRequest(namespace=namespace, config=config))
        return [f"retention {format_duration(kept)} → {format_duration(retention)}"]
    except RPCError as error:
        if error.status is RPCStatusCode.INVALID_ARGUMENT:
            raise ConfigurationError(f"PORTCALL_LOG_RETENTION: {error}") from None
        if error.status is not RPCStatusCode.NOT_FOUND:
            raise
    await _register(client, namespace, period)
    return [f"namespace {namespace}, retention {format_duration(retention)}"]


async def _register(client: Client, namespace: str, period: Duration) -> None:
    request = RegisterNamespaceRequest(
        namespace=namespace,
        description="Webhooks for container registries (Portcall)",
        workflow_execution_retention_period=period,
    )
    try:
        await client.workflow_service.register_namespace(request)
    except RPCError as error:
        if error.status is RPCStatusCode.INVALID_ARGUMENT:
            raise ConfigurationError(f"PORTCALL_LOG_RETENTION: {error}") from None
        if error.status is not RPCStatusCode.ALREADY_EXISTS:
            raise


async def _add_search_attributes(client: Client, namespace: str, wait: float) -> list[str]:
    known = await _known_search_attributes(client, namespace, wait)
    wanted = {
        key.name: IndexedValueType.ValueType(key.indexed_value_type) for key in SEARCH_ATTRIBUTES
    }
    for name in wanted.keys() & known.keys():
        if known[name] != wanted[name]:
            raise ConfigurationError(
                f"the search attribute {name} of namespace {namespace} is {_word(known[name])},"
                f" Portcall needs {_word(wanted[name])}; give Portcall a namespace of its own"
                " (TEMPORAL_NAMESPACE)"
            )
    missing = {name: kind for name, kind in wanted.items() if name not in known}
    if not missing:
        return []
    request = AddSearchAttributesRequest(namespace=namespace, search_attributes=missing)
    try:
        await client.operator_service.add_search_attributes(request)
    except RPCError as error:
        if error.status is RPCStatusCode.INVALID_ARGUMENT:
            raise ConfigurationError(
                f"the namespace {namespace} has no room for Portcall's search attributes"
                f" ({error}); give Portcall one of its own (TEMPORAL_NAMESPACE)"
            ) from None
        if error.status is not RPCStatusCode.ALREADY_EXISTS:
            raise
    return [f"search attributes {', '.join(sorted(missing))}"]


async def _known_search_attributes(
    client: Client, namespace: str, wait: float
) -> dict[str, IndexedValueType.ValueType]:
    request = ListSearchAttributesRequest(namespace=namespace)
    deadline = time.monotonic() + wait
    while True:
        try:
            answer = await client.operator_service.list_search_attributes(request)
            return dict(answer.custom_attributes)
        except RPCError as error:
            # A namespace just made is known to the whole server some seconds later.
            if error.status is not RPCStatusCode.NOT_FOUND or time.monotonic() > deadline:
                raise
        await asyncio.sleep(0.2)


async def _usable(client: Client, namespace: str, wait: float) -> None:
    query = " AND ".join(f"{key.name} IS NULL" for key in SEARCH_ATTRIBUTES)
    request = CountWorkflowExecutionsRequest(namespace=namespace, query=query)
    deadline = time.monotonic() + wait
    while True:
        try:
            await client.workflow_service.count_workflow_executions(request)
            return
        except RPCError as error:
            slow = (RPCStatusCode.INVALID_ARGUMENT, RPCStatusCode.NOT_FOUND)
            if error.status not in slow or time.monotonic() > deadline:
                raise
        await asyncio.sleep(0.2)


def _word(kind: IndexedValueType.ValueType) -> str:
    return IndexedValueType.Name(kind).removeprefix("INDEXED_VALUE_TYPE_").title()
