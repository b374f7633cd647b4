"""What a file is by its content: read, or one sentence with the remedy."""

from __future__ import annotations

import gzip
import io
import zipfile
from pathlib import Path

import pandas as pd
import pytest
import refusals

from llmarm_tutorial.data import decoding, loading
from llmarm_tutorial.errors import DataError, LlmarmError

BASKETS = {"basket_col": "basket", "item_col": "item"}
TEXT = b"basket,item\n1,milk\n1,tea\n2,milk\n"
JSON = b'{"basket": 1, "item": "milk"}\n{"basket": 1, "item": "tea"}\n{"basket": 2, "item": "milk"}\n'
LISTS = [["milk", "tea"], ["milk"]]


def write(folder: Path, name: str, data: bytes) -> str:
    (folder / name).write_bytes(data)
    return str(folder / name)


def zipped(**files: bytes) -> bytes:
    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w") as archive:
        for name, data in files.items():
            archive.writestr(name.replace("__", ".", 1) if not name.startswith("MAC") else f"__MACOSX/{name}", data)
    return memory.getvalue()


def refusal(path: str, error: type[LlmarmError] = DataError, **options: str) -> str:
    return refusals.refusal(error, path, **(options or BASKETS))


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.csv.gz", gzip.compress(TEXT, mtime=0)),
        ("a.gz", gzip.compress(TEXT, mtime=0)),
        ("a.csv", gzip.compress(TEXT, mtime=0)),
        ("a.zip", zipped(sales__csv=TEXT)),
        ("b.zip", zipped(sales__csv=TEXT, readme__md=b"about", MAC_csv=b"no")),
        ("a.jsonl.gz", gzip.compress(JSON, mtime=0)),
        ("bom.csv", b"\xef\xbb\xbf" + TEXT),
        ("boms.csv", b"\xef\xbb\xbfbasket,item\n1,milk\n\xef\xbb\xbf1,tea\n2,milk\n"),
        ("mac.csv", TEXT.replace(b"\n", b"\r")),
        ("dos.csv", TEXT.replace(b"\n", b"\r\n")),
        ("wide.csv", TEXT.decode().encode("utf-16")),
        ("UPPER.CSV", TEXT),
    ],
)  # fmt: skip
def test_packed_and_marked_files_are_read(tmp_path: Path, name: str, data: bytes) -> None:
    assert loading.load(write(tmp_path, name, data), **BASKETS).basket_lists() == LISTS


def workbook() -> bytes:
    memory = io.BytesIO()
    pd.DataFrame({"basket": [1], "item": ["milk"]}).to_excel(memory)
    return memory.getvalue()


def parquet() -> bytes:
    return pd.DataFrame({"basket": [1], "item": ["milk"]}).to_parquet()


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("a.xls", b"", "an old Excel workbook: open it in Excel or LibreOffice and save it as .xlsx or CSV"),
        ("a.ods", b"", "an OpenDocument sheet: open it in LibreOffice"),
        ("a.sav", b"", "an SPSS file"),
        ("a.sqlite", b"", "a database: export the one table as CSV"),
        ("a.csv", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1....", "by its content, an old Excel workbook"),
        ("a.xlsx", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1....", "an old Excel workbook"),
        ("a.csv", b"SQLite format 3\x00....", "a database"),
        ("a.csv", b"%PDF-1.7 ....", "a PDF"),
        ("a.csv", workbook(), "an Excel workbook: name it .xlsx"),
        ("a.csv", zipped(sales__csv=TEXT), "a zip archive: name it .zip"),
        ("a.csv", parquet(), "a Parquet file: name it .parquet"),
        ("a.csv", b"PK\x03\x04....mimetypeapplication/vnd.oasis.opendocument.spreadsheet", "an OpenDocument sheet"),
        ("a.csv", b"<!DOCTYPE html>\n<table><tr><td>basket</td></tr></table>", "a web page: copy the table"),
        ("a.csv", b"  <html><body>basket,item</body></html>", "a web page"),
        ("a.csv", b"-- MySQL dump 10.13\n\nDROP TABLE IF EXISTS `sales`;\n", "a dump of a database"),
        ("a.csv", b"/* x */ CREATE TABLE sales (basket int, item text);\n", "a dump of a database"),
        ("a.txt", b"INSERT INTO sales VALUES (1, 'milk');\n", "a dump of a database"),
        ("a.csv", b'{"basket": 1, "item": "milk"}\n{"basket": 2, "item": "tea"}\n', "JSON: name it .jsonl"),
        ("a.csv", b'[{"basket": 1, "item": "milk"}]', "JSON: name it .jsonl"),
        ("a.csv.gz", gzip.compress(TEXT, mtime=0)[:-12], "a broken gzip file"),
        ("a.csv.gz", TEXT, "is not packed with gzip"),
        ("a.zip", b"PK\x03\x04 no", "cannot be unpacked"),
        ("a.zip", zipped(a__csv=TEXT, b__csv=TEXT), "holds 2 tables (a.csv, b.csv); unpack it and give the one"),
        ("a.zip", zipped(a__md=TEXT), "holds no table (a.md)"),
        ("a.doc.gz", gzip.compress(TEXT, mtime=0), "packs a .doc file"),
        ("a.csv", b"\xff\xfea\x00b", "begins like UTF-16"),
        ("a.csv", TEXT.decode().encode("utf-32"), "zero bytes"),
        ("a.csv", b"basket,item\n1,\x81\n2,\x8d\n", "save it as UTF-8"),
        ("a.xlsx", b"PK\x03\x04 no", "cannot be opened as an Excel workbook"),
        ("a.parquet", b"PAR1 no", "is broken or no Parquet file"),
        ("a.json", b'{"basket": {"0": 1, "1": 2}, "item": {"0": "milk", "1": "tea"}}', "one object of whole columns"),
        ("a.json", b'{"basket": 1, "item": "a", "item": "b"}', "line 1 has two values called 'item'"),
        ("a.json", b'[{"basket": 1, "item": "a", "item": "b"}]', "an object has two values called 'item'"),
        ("a.json", b'{"basket": 1, "item": "a", " item": "b"}', "2 columns are called 'item'"),
    ],
)  # fmt: skip
def test_what_a_file_is_instead_is_said_with_the_remedy(tmp_path: Path, name: str, data: bytes, said: str) -> None:
    assert said in refusal(write(tmp_path, name, data))


CONFLICT = "basket,item\n1,milk\n{}1,tea\n2,milk\n{}1,tea\n2,jam\n{}3,milk\n"


@pytest.mark.parametrize(
    "marks", [("<<<<<<< HEAD\n", "=======\n", ">>>>>>> mine\n"), ("HEAD\n", "=======\n", "mine\n")]
)
def test_two_versions_left_by_a_merge_are_refused(tmp_path: Path, marks: tuple[str, str, str]) -> None:
    for text in (CONFLICT.format(*marks), "{0}{3}{1}{3}{2}".format(*marks, TEXT.decode())):
        sentence = refusal(write(tmp_path, "a.csv", text.encode()))
        assert "looks like two versions of one file left by a merge" in sentence


def test_a_title_with_a_rule_below_is_no_merge(tmp_path: Path) -> None:
    data = loading.load(write(tmp_path, "a.csv", b"Reports\n=======\n\n" + TEXT), **BASKETS)
    assert data.basket_lists() == LISTS
    assert data.notes == {"lines before the header, left out, the first is 'Reports'": 2}


def test_every_suffix_has_a_reader_or_a_remedy() -> None:
    assert not set(decoding.SUFFIXES) & set(decoding.OTHERS)
    assert set(decoding.TABLES) <= set(decoding.SUFFIXES)
