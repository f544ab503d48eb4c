"""What the installed `pulumi_aws` package says about its resources: inputs, which of them are required, outputs, types.

The invariant: nothing about a property's name or type is written here; the package is the only source, read as text,
one class at a time, because importing its larger modules takes longer than a whole preview.

Source: the shape of a generated class from pulumi v3.259 `pkg/codegen/python/gen.go` (tried with pulumi-aws 7.51.1).
"""

from __future__ import annotations

import ast
import importlib.util
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final, TypeAlias

PACKAGE: Final = "pulumi_aws"

_PRIMITIVES: Final = {"str": "string", "bool": "boolean", "int": "integer", "float": "number"}
_GETTER: Final = re.compile(
    r"    @_builtins\.property\n"
    r'    @pulumi\.getter(?:\(name="(?P<name>\w+)"\))?\n'
    r'(?:    @_utilities\.deprecated\(""".*?"""\)\n)?'
    r"    def (?P<attribute>\w+)\(self\) -> (?P<annotation>[^\n]+):\n",
    re.DOTALL,
)
_SIGNATURE: Final = re.compile(r"    def __init__\(__self__, \*,\n(?P<parameters>.*?)\):\n", re.DOTALL)
_REQUIRED: Final = re.compile(r"^ +(?P<attribute>\w+): (?!.* = None,?$)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Scalar:
    """`string`, `boolean`, `integer`, `number`, or `any` for what the package leaves open."""

    kind: str


@dataclass(frozen=True, slots=True)
class ListOf:
    """A list of one type."""

    item: Type


@dataclass(frozen=True, slots=True)
class MapOf:
    """Names of the user's own, each with a value of one type."""

    item: Type


@dataclass(frozen=True, slots=True)
class ObjectOf:
    """A nested object: the class of the package that describes it, and the module that has it."""

    module: str
    name: str


@dataclass(frozen=True, slots=True)
class OneOf:
    """Any of several types."""

    options: tuple[Type, ...]


Type: TypeAlias = Scalar | ListOf | MapOf | ObjectOf | OneOf

ANY: Final = Scalar("any")


@dataclass(frozen=True, slots=True)
class Property:
    """One input or output."""

    type: Type
    required: bool
    """Of an input: that it has to be given. Of an output: that it always has a value."""


Shape: TypeAlias = dict[str, Property]
"""Property names as they travel, camel case."""


@dataclass(frozen=True, slots=True)
class ResourceType:
    """One kind of resource."""

    token: str
    inputs: Shape
    outputs: Shape


class UnknownTypeError(Exception):
    """The package has no such resource."""


@cache
def resource_type(token: str) -> ResourceType:
    """The inputs and outputs of a resource such as `aws:eks/cluster:Cluster`.

    Raises: UnknownTypeError when the package has no such resource.
    """
    module, _, member = token.removeprefix("aws:").partition("/")
    member, _, name = member.partition(":")
    folder = "" if module == "index" else module
    text = _text(folder, _snake(member))
    if f'type_token("{token}")' not in text:
        raise UnknownTypeError(token)
    return ResourceType(
        token, _inputs(_class(text, f"{name}Args"), folder), _properties(_class(text, name), folder, set())
    )


@cache
def object_shape(nested: ObjectOf) -> Shape:
    """The properties of a nested object."""
    return _inputs(_class(_text(nested.module, "_inputs"), nested.name), nested.module)


@cache
def provider_inputs() -> Shape:
    """The settings of the provider itself."""
    return _inputs(_class(_text("", "provider"), "ProviderArgs"), "")


@cache
def _text(folder: str, module: str) -> str:
    """The source of a module of the package; nothing where there is none."""
    found = importlib.util.find_spec(PACKAGE)
    if found is None or found.origin is None:
        return ""
    path = Path(found.origin).parent / folder / f"{module}.py"
    return path.read_text() if path.is_file() else ""


def _class(text: str, name: str) -> str:
    """The source of one class."""
    begin = max(text.find(f"\nclass {name}:\n"), text.find(f"\nclass {name}("))
    if begin < 0:
        return ""
    ends = [end for mark in ("\n@pulumi.", "\nclass ") if (end := text.find(mark, begin + 1)) > 0]
    return text[begin : min(ends, default=len(text))]


def _inputs(source: str, folder: str) -> Shape:
    found = _SIGNATURE.search(source)
    return _properties(source, folder, set(_REQUIRED.findall(found["parameters"])) if found else set())


def _properties(source: str, folder: str, required: set[str]) -> Shape:
    """The properties of a class; without a signature that says so, those that cannot be absent are required."""
    shape: Shape = {}
    is_output = "pulumi.CustomResource" in source.partition(":\n")[0]
    for getter in _GETTER.finditer(source):
        annotation = ast.parse(getter["annotation"], mode="eval").body
        read, optional = _type(annotation, folder)
        shape[getter["name"] or getter["attribute"]] = Property(
            read, not optional if is_output else getter["attribute"] in required
        )
    return shape


def _type(node: ast.expr, folder: str) -> tuple[Type, bool]:
    """The type of an annotation, and whether its value may be absent."""
    found: Type = ANY
    optional = False
    match node:
        case ast.Subscript(value=ast.Attribute(attr="Input" | "Output"), slice=inner):
            found, optional = _type(inner, folder)
        case ast.Subscript(value=ast.Name(id="Optional"), slice=inner):
            found, optional = _type(inner, folder)[0], True
        case ast.Subscript(value=ast.Name(id="Sequence"), slice=inner):
            found = ListOf(_type(inner, folder)[0])
        case ast.Subscript(value=ast.Name(id="Mapping"), slice=ast.Tuple(elts=[_, inner])):
            found = MapOf(_type(inner, folder)[0])
        case ast.Subscript(value=ast.Name(id="Union"), slice=ast.Tuple(elts=options)):
            found = OneOf(tuple(_type(option, folder)[0] for option in options))
        case ast.Attribute(value=ast.Name(id="_builtins"), attr=name) if name in _PRIMITIVES:
            found = Scalar(_PRIMITIVES[name])
        case ast.Constant(value=str(name)):
            found = _named(name, folder)
    return found, optional


def _named(name: str, folder: str) -> Type:
    """What a class's name in quotes stands for; its enumerations are open, so they are strings."""
    module, _, own = name.rpartition(".")
    if module == "outputs":
        return ANY
    folder = module.removeprefix("_") if module else folder
    return ObjectOf(folder, own) if own.endswith("Args") else Scalar("string")


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()
