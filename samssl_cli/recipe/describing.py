"""What may be written at a key, in words, from the JSON schema of its section."""

from typing import Any

_LIMITS = {
    "minimum": "≥ {}",
    "exclusiveMinimum": "> {}",
    "maximum": "≤ {}",
    "exclusiveMaximum": "< {}",
}
_WORDS = {
    "integer": "integer",
    "number": "number",
    "boolean": "true or false",
    "string": "text",
    "null": "none",
}


def kind(described: dict[str, Any]) -> str:
    """The values that a property of a JSON schema takes: "integer ≥ 1", "`sgd`, `adamw`"."""
    if "anyOf" in described:
        return " or ".join(kind(one) for one in described["anyOf"])
    if "enum" in described or "const" in described:
        values = described.get("enum", [described.get("const")])
        return ", ".join(f"`{value}`" for value in values)
    if "$ref" in described:
        return f"a table as `[{described['$ref'].rpartition('/')[2].lower()}]`"
    if described["type"] == "array":
        return _list(described)
    if described["type"] == "object":
        return "table"
    limits = [text.format(described[key]) for key, text in _LIMITS.items() if key in described]
    return " ".join([_WORDS[described["type"]], ", ".join(limits)]).strip()


def _list(described: dict[str, Any]) -> str:
    if "prefixItems" in described:
        items = described["prefixItems"]
        return f"{len(items)} of {kind(items[0])}"
    return f"list of {kind(described['items'])}"
