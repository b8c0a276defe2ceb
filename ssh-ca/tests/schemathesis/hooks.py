"""Puts words that mean something to the server under test where made-up ones stand, half of the time,
so that requests get beyond the names in them."""

import json
import os

import schemathesis

# By the name of a property or parameter.
WORDS = json.loads(os.environ["JIT_WORDS"])


def fitting(value, name=""):
    if isinstance(value, dict):
        return {key: fitting(inner, key) for key, inner in value.items()}
    if isinstance(value, list):
        return [fitting(inner, name) for inner in value]
    # What is no string breaks the schema on purpose, or needs no word.
    if isinstance(value, str) and name in WORDS:
        choice = sum(value.encode("utf-8", "surrogatepass"))
        if choice % 2 == 0:
            return WORDS[name][choice // 2 % len(WORDS[name])]
    return value


@schemathesis.hook
def map_path_parameters(ctx, path_parameters):
    return fitting(path_parameters)


@schemathesis.hook
def map_query(ctx, query):
    return fitting(query)


@schemathesis.hook
def map_body(ctx, body):
    return fitting(body)
