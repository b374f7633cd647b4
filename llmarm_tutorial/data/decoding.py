"""The bytes of a file as text, or one sentence that says what the file is instead.

Rules, so that one file always gives one result:

- A file is told by its first bytes: what gzip packed is unpacked whatever its name; of a zip archive the only table in
  it is taken. A workbook, a database, a web page or a dump of SQL under the name of a CSV is refused with the remedy.
- Text is UTF-8, or UTF-16 with its byte order mark. Else, if nearly all bytes beyond ASCII come in pairs, as Chinese
  characters do, it is read as GB18030; else as Windows-1252. Either guess is noted.
- Two versions of one file, as a merge that failed leaves them, are no data.
"""

from __future__ import annotations

import gzip
import io
import re
import zipfile
import zlib
from pathlib import Path, PurePath

from llmarm_tutorial.errors import DataError

DELIMITED, PARQUET, LINES, WORKBOOKS = (
    (".csv", ".tsv", ".txt", ".dat"),
    (".parquet", ".pq"),
    (".jsonl", ".ndjson", ".json"),
    (".xlsx", ".xlsm"),
)
TABLES = DELIMITED + PARQUET + LINES + WORKBOOKS
PACKED = (".gz", ".zip")
SUFFIXES = TABLES + PACKED

OTHERS = {  # what a suffix that cannot be read asks for
    ".xls": "an old Excel workbook: open it in Excel or LibreOffice and save it as .xlsx or CSV",
    ".xlsb": "a binary Excel workbook: open it in Excel and save it as .xlsx or CSV",
    ".ods": "an OpenDocument sheet: open it in LibreOffice and save it as .xlsx or CSV",
    ".sav": "an SPSS file: save it from SPSS as CSV",
    ".dta": "a Stata file: save it from Stata as CSV (export delimited)",
    ".rds": "an R object: write it from R as CSV (write.csv)",
    ".rdata": "an R workspace: write the table from R as CSV (write.csv)",
    ".pkl": "a Python pickle, which could run code when it is opened: write the table as CSV (DataFrame.to_csv)",
    ".feather": "a Feather file: write the table as Parquet (DataFrame.to_parquet)",
    ".sql": "a dump of a database: let the database export the one table as CSV",
    ".db": "a database: export the one table as CSV",
    ".sqlite": "a database: export the one table as CSV",
    ".html": "a web page: copy the table into a spreadsheet and save it as CSV",
    ".htm": "a web page: copy the table into a spreadsheet and save it as CSV",
    ".pdf": "a PDF: export the table as CSV where the PDF was made",
    ".7z": "an archive: unpack it and give the file in it",
    ".rar": "an archive: unpack it and give the file in it",
    ".tar": "an archive: unpack it and give the file in it",
    ".tgz": "an archive: unpack it and give the file in it",
    ".bz2": "packed with bzip2: unpack it, or pack it with gzip",
    ".xz": "packed with xz: unpack it, or pack it with gzip",
}
# first bytes → what a file is by its content, in the words of `OTHERS`
MAGIC = {
    b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1": OTHERS[".xls"],
    b"SQLite format 3\x00": OTHERS[".db"],
    b"%PDF-": OTHERS[".pdf"],
    b"7z\xbc\xaf\x27\x1c": OTHERS[".7z"],
    b"Rar!": OTHERS[".rar"],
    b"BZh": OTHERS[".bz2"],
    b"\xfd7zXZ\x00": OTHERS[".xz"],
    b"PAR1": "a Parquet file: name it .parquet",
}
PAGE = re.compile(r"\s*<(!doctype|html|table|\?xml|head|body)", re.IGNORECASE)
DUMP = re.compile(
    r"(\s|--.*\n|/\*.*?\*/;?)*(create\s+table|insert\s+into|drop\s+table|set\s+\w|begin\s+transaction|pragma\s|use\s+\S+;)",
    re.IGNORECASE,
)
OBJECTS = re.compile(r'\s*(\[\s*)?\{\s*"[^"\n]*"\s*:')
MOST_NAMED = 5  # members of an archive that a sentence lists


def contents(path: Path) -> tuple[bytes, str]:
    """The bytes of a file, unpacked, and the suffix in lower case that tells the format of what was in it.

    Raises:
        DataError: If there is no such file, if its format is not one of `TABLES`, or if an archive is broken or holds
            no table or several.
    """
    if not path.is_file():
        raise DataError(f"There is no file {str(path)!r}; check the path, which is taken from the folder {Path.cwd()}.")
    suffix = path.suffix.lower()
    if suffix in OTHERS:
        raise DataError(f"{path.name} is {OTHERS[suffix]}.")
    if suffix not in SUFFIXES:
        raise DataError(f"{path.name} is none of the formats that can be read: {', '.join(SUFFIXES)}; save it as one.")
    data = path.read_bytes()
    if data.startswith(b"\x1f\x8b"):
        data = _unpack(path, data)
        suffix = PurePath(path.stem).suffix.lower() if suffix == ".gz" else suffix
    elif suffix == ".zip":
        data, suffix = _member(path, data)
    elif suffix == ".gz":
        raise DataError(f"{path.name} is not packed with gzip; give it the suffix of what it is, such as .csv.")
    suffix = suffix or ".csv"  # sales.gz: what is packed without a suffix is most often a CSV
    if suffix not in TABLES:
        raise DataError(
            f"{path.name} packs a {suffix} file, none of the formats that can be read: {', '.join(TABLES)}."
        )
    _refuse_others(path.name, suffix, data)
    return data, suffix


def _unpack(path: Path, data: bytes) -> bytes:
    try:
        return gzip.decompress(data)
    except (OSError, EOFError, zlib.error):
        raise DataError(f"{path.name} is a broken gzip file; fetch or pack it again.") from None


def _member(path: Path, data: bytes) -> tuple[bytes, str]:
    """The only table in a zip archive."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            names = [name for name in archive.namelist() if not name.startswith("__MACOSX/")]
            tables = [name for name in names if PurePath(name).suffix.lower() in TABLES]
            if len(tables) == 1:
                return archive.read(tables[0]), PurePath(tables[0]).suffix.lower()
    except (
        zipfile.BadZipFile,
        zlib.error,
        RuntimeError,
        NotImplementedError,
    ):  # the last two: a password, a rare method
        raise DataError(f"{path.name} cannot be unpacked; unpack it yourself and give the file in it.") from None
    listed = ", ".join((tables or names)[:MOST_NAMED]) or "nothing"
    what = f"holds {len(tables)} tables ({listed})" if tables else f"holds no table ({listed})"
    raise DataError(f"{path.name} {what}; unpack it and give the one file that is meant.")


def _refuse_others(name: str, suffix: str, data: bytes) -> None:
    """Raise where the first bytes belong to another format than the suffix says."""
    for start, what in MAGIC.items():
        if data.startswith(start) and not (start == b"PAR1" and suffix in PARQUET):
            raise DataError(f"{name} is, by its content, {what}.")
    if data.startswith(b"PK\x03\x04"):
        head = data[:4096]
        if b"opendocument.spreadsheet" in head:
            raise DataError(f"{name} is, by its content, {OTHERS['.ods']}.")
        if suffix not in WORKBOOKS:
            what = (
                "an Excel workbook: name it .xlsx" if b"[Content_Types].xml" in data else "a zip archive: name it .zip"
            )
            raise DataError(f"{name} is, by its content, {what}.")


def decode(data: bytes, name: str, suffix: str) -> tuple[str, dict[str, int]]:
    """Text from bytes by the rules in the head of this module, with the guess noted; line ends become one sign.

    Args:
        data: What the file holds, unpacked.
        name: Name of the file, for messages.
        suffix: What the format is told by, as `contents` gives it.

    Raises:
        DataError: If the bytes are no text or an empty one, or if the text is a web page, SQL, JSON, or a failed merge.
    """
    text, notes = _text(data, name)
    if "\0" in text:
        raise DataError(f"{name} holds zero bytes, so it is no text in UTF-8; save it as UTF-8.")
    text = re.sub("\r\n?", "\n", text) if "\r" in text else text
    if "\ufeff" in text:  # a mark at the head of each of several files that were joined
        text = text.replace("\ufeff", "")
    if not text.strip():
        raise DataError(f"{name} is empty; give a file with a header and one row per bought item.")
    _refuse_merges(text, name)
    if PAGE.match(text):
        raise DataError(f"{name} is, by its content, {OTHERS['.html']}.")
    if DUMP.match(text[:20_000]):
        raise DataError(f"{name} is, by its content, {OTHERS['.sql']}.")
    if suffix in DELIMITED and OBJECTS.match(text):
        raise DataError(f"{name} is, by its content, JSON: name it .jsonl.")
    return text, notes


def _text(data: bytes, name: str) -> tuple[str, dict[str, int]]:
    try:
        if data.startswith((b"\xff\xfe", b"\xfe\xff")):
            return data.decode("utf-16"), {}
        return data.decode("utf-8-sig"), {}
    except UnicodeDecodeError:
        if data.startswith((b"\xff\xfe", b"\xfe\xff")):
            raise DataError(f"{name} begins like UTF-16 and does not go on so; save it as UTF-8.") from None
    foreign = sum(byte >= 0x80 for byte in data)
    paired = 2 * len(re.findall(rb"[\x81-\xfe](?:[\x80-\xfe]|\d[\x81-\xfe]\d)", data))
    for encoding in ("gb18030", "cp1252") if paired >= 0.9 * foreign else ("cp1252",):
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        lines = sum(not line.isascii() for line in text.splitlines())
        return text, {f"lines of a file that is not UTF-8, read as {encoding}": lines}
    raise DataError(f"{name} is not text in UTF-8, UTF-16, GB18030 or Windows-1252; save it as UTF-8.")


def _refuse_merges(text: str, name: str) -> None:
    """Raise where lines mark two versions of one file; a title may well be underlined by seven signs."""
    marked = re.search(r"^(<<<<<<<|>>>>>>>)(\s|$)", text, re.MULTILINE)
    for rule in re.finditer(r"^=======$", text, re.MULTILINE):
        before, after = text[: rule.start()], text[rule.end() :].lstrip("\n").partition("\n")[0]
        marked = marked or before.count("\n") > 2 or f"\n{after}\n" in f"\n{before}"
    if marked:
        raise DataError(
            f"{name} looks like two versions of one file left by a merge (lines such as =======); keep one version, "
            "delete the other and the lines that mark them."
        )
