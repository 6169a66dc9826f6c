"""
Whether a changed schema still reads what was written under a released one (backward compatibility).

Checked: no property that old records have becomes stricter (type, pattern, enumeration, bounds), none that they may
lack becomes compulsory. A property may be added; it may be dropped, since consumers ignore what they do not know.
"""

from collections.abc import Iterator
from typing import Any, Final

Schema = dict[str, Any]
_UPPER: Final = ("maximum", "exclusiveMaximum", "maxLength", "maxItems")
_LOWER: Final = ("minimum", "exclusiveMinimum", "minLength", "minItems")


def incompatibilities(released: Schema, current: Schema) -> list[str]:
    """
    What the current schema refuses that the released one allowed, each with its place; empty when it reads all of it.
    """
    return list(_compare(released, current, released, current, "payload", frozenset()))


def _resolve(node: Schema, root: Schema) -> Schema:
    reference = node.get("$ref")
    if reference is None:
        return node
    found: Any = root
    for step in str(reference).removeprefix("#/").split("/"):
        found = found[step]
    return _resolve(found, root)


def _alternatives(node: Schema) -> list[Schema]:
    return list(node["anyOf"]) if "anyOf" in node else [node]


def _compare(
    old: Schema, new: Schema, old_root: Schema, new_root: Schema, place: str, seen: frozenset[str]
) -> Iterator[str]:
    old, new = _resolve(old, old_root), _resolve(new, new_root)
    if place in seen or not new:
        return
    if "anyOf" in old or "anyOf" in new:
        for choice in _alternatives(old):
            problems = [list(_compare(choice, other, old_root, new_root, place, seen)) for other in _alternatives(new)]
            if all(problems):
                yield min(problems, key=len)[0]
        return
    if "type" in new and old.get("type") != new["type"] and (old.get("type"), new["type"]) != ("integer", "number"):
        yield f"{place}: was {old.get('type', 'anything')}, must now be {new['type']}"
        return
    if "enum" in new or "const" in new:
        allowed = new.get("enum", [new.get("const")])
        gone = [word for word in old.get("enum", [old.get("const")]) if word not in allowed]
        if gone:
            yield f"{place}: {', '.join(map(str, gone))} is no longer allowed"
    if "pattern" in new and old.get("pattern") != new["pattern"]:
        yield f"{place}: the pattern changed"
    for name in _UPPER:
        if name in new and (name not in old or old[name] > new[name]):
            yield f"{place}: {name} is tighter"
    for name in _LOWER:
        if name in new and (name not in old or old[name] < new[name]):
            yield f"{place}: {name} is tighter"
    for name in set(new.get("required", ())) - set(old.get("required", ())):
        yield f"{place}.{name}: is now compulsory"
    for name, was in old.get("properties", {}).items():
        if name in new.get("properties", {}):
            yield from _compare(was, new["properties"][name], old_root, new_root, f"{place}.{name}", seen | {place})
    if "items" in old and "items" in new:
        yield from _compare(old["items"], new["items"], old_root, new_root, f"{place}[]", seen | {place})
