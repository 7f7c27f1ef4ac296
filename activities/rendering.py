"""Writes an event, or a group, down in a format; what stands against it blocks the attempt.

The template is read afresh, so that one that was repaired holds for the next attempt.
"""

import asyncio
from collections.abc import Mapping, Sequence

from temporalio.exceptions import ApplicationError

from activities.suspension import NothingSentError
from portcall.errors import NotFoundError
from portcall.events import RegistryEvent
from portcall.formats.format import Format, Message, rendered
from portcall.formats.template import Template, of_policy
from portcall.formats.template_language import TemplateError
from portcall.policies import Policy
from portcall.ports import Collection


async def render(
    events: Sequence[RegistryEvent],
    name: str,
    formats: Mapping[str, Format],
    policies: Collection[Policy],
    policy: str,
) -> Message:
    """Give the message; raise NothingSentError where the policy's template makes none."""
    if name not in formats:  # another worker may know one that this one was not given
        raise ApplicationError(f"this worker knows no format {name}", type="UnknownFormat")
    known = formats[name]
    try:
        if name != Template.name:
            return rendered(known, events)
        known = of_policy(known, (await policies.get(policy)).spec)
        # A template may take its 0.3 s, during which other attempts go on.
        return await asyncio.to_thread(rendered, known, events)
    except NotFoundError:
        raise NothingSentError(f"the policy {policy}, which has the template, is gone") from None
    except TemplateError as error:
        raise NothingSentError(f"the template of the policy {policy}: {error}") from None
