"""The JSON Schema of the files that `portcall apply` reads, made from the models themselves.

It finds what is misspelt while one types; whether a spec is right is still the API's to say.
"""

from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, models_json_schema

from portcall.policies import Policy, Source, Target

_VARIABLE = r"\$\{[A-Za-z_][A-Za-z0-9_]*\}"


class _Untitled(GenerateJsonSchema):
    """Leaves out the titles of fields, which only repeat their names."""

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002 - as it is called
        return False


def manifest_schema(kinds: Iterable[str], formats: Iterable[str]) -> dict[str, Any]:
    """Give the schema of one document, with the kinds of source and formats that there are."""
    models: dict[str, type[BaseModel]] = {"source": Source, "target": Target, "policy": Policy}
    refs, schema = models_json_schema(
        [(model, "validation") for model in models.values()], schema_generator=_Untitled
    )
    definitions = schema["$defs"]
    definitions["Source"]["properties"]["kind"] = {"enum": sorted(kinds)}
    definitions["Policy"]["properties"]["format"] |= {"enum": sorted(formats)}
    for definition in definitions.values():
        _require_constants(definition)
    _let_variables_in(definitions)
    parts = {name: refs[model, "validation"] for name, model in models.items()}
    plurals = {"source": "sources", "target": "targets", "policy": "policies"}
    keys = dict(parts)
    keys |= {plurals[name]: {"type": "array", "items": part} for name, part in parts.items()}
    keys |= {"managed_by": definitions["Target"]["properties"]["managed_by"]}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "What portcall apply reads",
        "if": {"type": "object", "required": ["name", "targets"]},
        "then": parts["policy"],
        "else": {"type": ["object", "null"], "properties": keys, "additionalProperties": False},
        "$defs": definitions,
    }


def _require_constants(definition: dict[str, Any]) -> None:
    """Require what tells the variants of a union apart: pydantic does, its schema does not say."""
    constants = [n for n, field in definition.get("properties", {}).items() if "const" in field]
    if constants:
        definition["required"] = [*constants, *definition.get("required", [])]


def _let_variables_in(schema: Any) -> None:
    """Let text with a `${VARIABLE}` in it pass every pattern: its value is not known here."""
    if isinstance(schema, dict):
        pattern = schema.get("pattern")
        if isinstance(pattern, str):
            schema["pattern"] = f"{pattern}|{_VARIABLE}"
    for part in schema.values() if isinstance(schema, dict) else schema:
        if isinstance(part, dict | list):
            _let_variables_in(part)
