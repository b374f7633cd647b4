"""Parquet and JSON lines as tables whose whole numbers keep all their digits beside missing ones.

Rules: an index that pandas kept with a Parquet file is a column like others. JSON may be one object a line, or one
array of objects; arrays of items, one a line, are baskets.
"""

from __future__ import annotations

import io
import json
from collections.abc import Collection
from typing import Any

import pandas as pd

from llmarm_tutorial.data import headers
from llmarm_tutorial.data.headers import Contents
from llmarm_tutorial.errors import DataError


def read_parquet(data: bytes, name: str, wanted: Collection[str] = ()) -> Contents:
    """Read a Parquet file.

    Args:
        data: The file.
        name: Its name, for messages.
        wanted: Columns asked for, as options give them.

    Raises:
        DataError: If it is broken, empty, or a column that is wanted is there twice.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    whole = {getattr(pa, kind.lower())(): getattr(pd, f"{kind}Dtype")() for kind in _whole_numbers()}
    try:
        source = pq.ParquetFile(io.BytesIO(data)).read()
    except (pa.ArrowException, OSError):
        raise DataError(f"{name} cannot be read as parquet: it is broken or no Parquet file; write it again.") from None
    names = source.column_names
    table = source.rename_columns([str(number) for number in range(len(names))]).to_pandas(
        types_mapper=whole.get, ignore_metadata=True, date_as_object=False
    )
    whole_numbers = [column for column in table if isinstance(table[column].dtype, tuple(map(type, whole.values())))]
    for column in whole_numbers:
        if not table[column].isna().any():
            table[column] = table[column].astype(table[column].dtype.numpy_dtype)
    for index in (source.schema.pandas_metadata or {}).get("index_columns", []):
        if isinstance(index, dict) and index.get(
            "name"
        ):  # an index that counts is kept as its start, stop and step only
            table.insert(0, "index", range(index["start"], index["stop"], index["step"]))
            names = [index["name"], *names]
    return headers.finished(table, names, wanted, name, {})


def _whole_numbers() -> list[str]:
    return [f"{sign}Int{bits}" for sign in ("", "U") for bits in (8, 16, 32, 64)]


def read_json(text: str, name: str, wanted: Collection[str] = (), layout: str = "") -> Contents:
    """Read one object a line, or one array of objects.

    Args:
        text: The text, its lines ended by a newline.
        name: Name of the file, for messages.
        wanted: Columns asked for, as options give them.
        layout: The option `format`; arrays are baskets if it is "" or says so.

    Raises:
        DataError: If a line is no JSON, or neither an object nor, where no column is wanted, an array of items.
    """
    records = _whole(text, name) if text.lstrip().startswith("[") else None
    records = _by_line(text, name) if records is None else records
    if not wanted and layout in ("", "baskets") and all(isinstance(record, list) for _, record in records):
        lines = tuple(_plain(record, number, name) for number, record in records)
        return Contents(None, {}, lines, ",")
    for number, record in records:
        if not isinstance(record, dict):
            raise DataError(f'{name}: line {number} is not an object like {{"item": "milk"}}.')
    if len(records) == 1 and records[0][1] and all(isinstance(value, dict | list) for value in records[0][1].values()):
        raise DataError(
            f"{name} is one object of whole columns; write one object a line (in pandas: to_json with "
            "orient='records', lines=True)."
        )
    columns: dict[str, list[Any]] = {}
    for place, (_, record) in enumerate(records):
        for key, value in record.items():
            column = columns.setdefault(key, [])
            column.extend([None] * (place - len(column)))
            column.append(value)
    for column in columns.values():
        column.extend([None] * (len(records) - len(column)))
    # as objects: pandas would make whole numbers beside missing ones floats
    series = {number: pd.Series(column, dtype="object") for number, column in enumerate(columns.values())}
    return headers.finished(pd.DataFrame(series), list(columns), wanted, name, {})


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        raise KeyError(next(name for name in names if names.count(name) > 1))
    return found


def _whole(text: str, name: str) -> list[tuple[int, Any]] | None:
    """The members of one array of objects or arrays; None if the text is something else."""
    try:
        found = json.loads(text, object_pairs_hook=_object)
    except json.JSONDecodeError:
        return None
    except KeyError as error:
        raise DataError(
            f"{name}: an object has two values called {error.args[0]!r}; give each a name of its own."
        ) from None
    if isinstance(found, list) and found and all(isinstance(member, dict | list) for member in found):
        return list(enumerate(found, start=1))
    return None


def _by_line(text: str, name: str) -> list[tuple[int, Any]]:
    records = []
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            try:
                records.append((number, json.loads(line, object_pairs_hook=_object)))
            except json.JSONDecodeError as error:
                raise DataError(f"{name}: line {number} is not JSON ({error.msg}); write one object a line.") from None
            except KeyError as error:
                raise DataError(
                    f"{name}: line {number} has two values called {error.args[0]!r}; give each a name of its own."
                ) from None
    return records


def _plain(record: list[Any], number: int, name: str) -> list[str]:
    if any(isinstance(item, dict | list) for item in record):
        raise DataError(f"{name}: line {number} holds more than plain items; write one row per item.")
    return ["" if item is None else str(item).strip() for item in record]
