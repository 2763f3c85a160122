"""Dataclasses as SQLite rows: one column per field, decimals as text, so that nothing is rounded and all is legible."""

import json
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import fields, is_dataclass
from decimal import Decimal
from enum import Enum
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

type SqlValue = str | int | float | None


def encode(value: Any) -> SqlValue:
    """A field's value as SQLite takes it; nested tuples and dataclasses become JSON."""
    if value is None or type(value) in (str, int, float):
        return value
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, Enum):
        return str(value.value)
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, tuple):
        return json.dumps([encode(item) for item in value])
    if is_dataclass(value):
        return json.dumps([encode(getattr(value, field.name)) for field in fields(value)])
    raise TypeError(f"cannot store a {type(value).__name__}")


def decoder(hint: Any) -> Callable[[Any], Any]:
    """The way back from `encode` for a field of this type."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        inner = decoder(next(argument for argument in arguments if argument is not NoneType))
        return lambda value: None if value is None else inner(value)
    if origin is tuple:
        item = decoder(arguments[0])
        return lambda value: tuple(item(part) for part in json.loads(value))
    if is_dataclass(hint) and isinstance(hint, type):
        decoders = [decoder(inner_hint) for inner_hint in _field_types(hint)]
        return lambda value: hint(*(decode(part) for decode, part in zip(decoders, json.loads(value), strict=True)))
    if hint in (str, int, float):
        return _same
    if isinstance(hint, type):
        # Decimal, bool and enumerations are made from what was stored.
        return hint
    raise TypeError(f"cannot restore a {hint}")


class Table[T]:
    """A table of dataclass rows. `owner` columns come before the fields, for rows that do not say whose they are."""

    def __init__(self, name: str, row_type: type[T], key: Sequence[str], owner: Sequence[str] = ()) -> None:
        self.name = name
        self._row_type = row_type
        self._names = [field.name for field in fields(row_type)]  # type: ignore[arg-type]
        self._decoders = [decoder(hint) for hint in _field_types(row_type)]
        self._owner_count = len(owner)
        #: Names of the columns, in the order of the rows' values.
        self.columns = (*owner, *self._names)
        # Quoted, for `index` is a word of SQL.
        columns = [f'"{column}"' for column in self.columns]
        key = [f'"{column}"' for column in key]
        updated = ", ".join(f"{column} = excluded.{column}" for column in columns if column not in key)
        conflict = f"DO UPDATE SET {updated}" if updated else "DO NOTHING"
        self._defaults = {field.name: field.default for field in fields(row_type)}  # type: ignore[arg-type]
        self.create_sql = f"CREATE TABLE IF NOT EXISTS {name} ({', '.join(columns)}, PRIMARY KEY ({', '.join(key)}))"
        self.upsert_sql = (
            f"INSERT INTO {name} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})"
            f" ON CONFLICT ({', '.join(key)}) {conflict}"
        )

    def added_columns_sql(self, existing: Collection[str]) -> list[str]:
        """What brings a table of an older version, with the columns `existing`, up to date.

        A field that is added to a row comes last and has a default, which old rows get.
        """
        added = {name: _literal(self._defaults[name]) for name in self._names if name not in existing}
        return [f'ALTER TABLE {self.name} ADD COLUMN "{name}" DEFAULT {value}' for name, value in added.items()]

    def encode(self, row: T, *owner: SqlValue) -> tuple[SqlValue, ...]:
        return (*owner, *(encode(getattr(row, name)) for name in self._names))

    def decode(self, values: Sequence[Any]) -> T:
        """A row of `SELECT *`."""
        own = values[self._owner_count :]
        return self._row_type(*(decode(value) for decode, value in zip(self._decoders, own, strict=True)))

    def decode_all(self, rows: Iterable[Sequence[Any]]) -> list[T]:
        return [self.decode(row) for row in rows]


def _literal(value: Any) -> str:
    encoded = encode(value)
    if isinstance(encoded, str):
        return "'" + encoded.replace("'", "''") + "'"
    return "NULL" if encoded is None else str(encoded)


def _field_types(row_type: Any) -> list[Any]:
    hints = get_type_hints(row_type)
    return [hints[field.name] for field in fields(row_type)]


def _same(value: Any) -> Any:
    return value
