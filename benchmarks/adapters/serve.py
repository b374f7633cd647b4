"""How a peer is asked: a list of cases comes in as JSON, and as many answers or refusals go out, as JSON."""

from __future__ import annotations

import contextlib
import json
import logging
import shutil
import sys
import warnings
from collections.abc import Callable
from typing import Any


def serve(peers: dict[str, Callable[..., Any]]) -> None:
    """Answer the cases on standard input with the function that the command line names.

    Whatever a library prints goes to standard error, so that standard output holds the answers alone. A case that a
    library refuses is answered by its error; the other cases go on.
    """
    warnings.simplefilter("ignore")
    logging.disable()
    answers = []
    with contextlib.redirect_stdout(sys.stderr):
        peer = peers[sys.argv[1]]
        for case in json.load(sys.stdin):
            try:
                answers.append({"answer": peer(**case)})
            except ImportError:  # says nothing about the library
                raise
            except Exception as refused:  # any error of a peer is what it answers
                lines = f"{type(refused).__name__}: {refused}".strip().splitlines()
                causes = [line for line in lines if line.startswith("Caused by: ")]  # of Java, the last one says why
                answers.append({"refused": (causes or lines[:1])[-1][:160]})
    print(json.dumps(answers))


def spark() -> Any:
    """The session of pyspark, on one core."""
    from pyspark.sql import SparkSession

    if not shutil.which("java"):
        raise NotImplementedError("needs Java, which is not here")
    settings = {"spark.ui.enabled": "false", "spark.sql.shuffle.partitions": "1", "spark.log.level": "OFF"}
    return SparkSession.builder.master("local[1]").config(map=settings).getOrCreate()
