"""Ops on tensors of strings."""

import re
import unicodedata
from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from rammer_ir.host_function.registry import HostNode, host_op
from rammer_ir.host_function.values import HostValue, text_array, texts_of


def _texts(node: HostNode, value: HostValue) -> NDArray[Any]:
    if not isinstance(value, np.ndarray):
        raise node.error("needs a tensor of strings")
    return text_array(texts_of(value), value.shape)


@host_op("StringConcat", always=True)
def concatenate_strings(node: HostNode, inputs: Sequence[HostValue]) -> Sequence[HostValue]:
    """Pairs of strings joined, with broadcasting."""
    left, right = np.broadcast_arrays(_texts(node, inputs[0]), _texts(node, inputs[1]))
    return [text_array([a + b for a, b in zip(left.reshape(-1), right.reshape(-1), strict=True)], left.shape)]


@host_op("StringSplit", always=True)
def split_strings(node: HostNode, inputs: Sequence[HostValue]) -> Sequence[HostValue]:
    """The parts of every string in a new last dimension, padded with empty strings; and how many parts each has."""
    texts = _texts(node, inputs[0])
    delimiter = node.attributes.get("delimiter") or None
    parts = [text.split(delimiter, node.attributes.get("maxsplit", -1)) for text in texts.reshape(-1)]
    most = max(map(len, parts), default=0)
    padded = [item for part in parts for item in [*part, *([""] * (most - len(part)))]]
    counts = np.array([len(part) for part in parts], np.int64).reshape(texts.shape)
    return [text_array(padded, (*texts.shape, most)), counts]


@host_op("RegexFullMatch", always=True)
def match_fully(node: HostNode, inputs: Sequence[HostValue]) -> Sequence[HostValue]:
    """Whether a whole string matches the pattern, which uses what Python's syntax shares with that of RE2."""
    texts = _texts(node, inputs[0])
    try:
        pattern = re.compile(node.attributes.get("pattern", ""))
    except re.error as error:
        raise node.error(f"has a pattern that is no regular expression: {error}") from error
    found = [pattern.fullmatch(text) is not None for text in texts.reshape(-1)]
    return [np.array(found, np.bool_).reshape(texts.shape)]


@host_op("Equal")
def equal_strings(node: HostNode, inputs: Sequence[HostValue]) -> Sequence[HostValue]:
    """Whether strings are the same, with broadcasting."""
    return [np.equal(_texts(node, inputs[0]), _texts(node, inputs[1])).astype(np.bool_)]


def _as_it_is(text: str) -> str:
    return text


_CASES: Final[dict[str, Callable[[str], str]]] = {"LOWER": str.lower, "UPPER": str.upper, "NONE": _as_it_is}


@host_op("StringNormalizer", always=True)
def normalize_strings(node: HostNode, inputs: Sequence[HostValue]) -> Sequence[HostValue]:
    """Strings without stop words and accents, in one case; empty ones go, one is left if all were."""
    texts = _texts(node, inputs[0])
    if texts.ndim > 2 or (texts.ndim == 2 and texts.shape[0] != 1):
        raise node.error("needs strings of shape [C] or [1, C]")
    change = _CASES[node.attributes.get("case_change_action", "NONE")]
    is_sensitive = bool(node.attributes.get("is_case_sensitive", 0))
    stops: list[str] = node.attributes.get("stopwords", [])
    refused = set(stops) if is_sensitive else {stop.lower() for stop in stops}
    words = [_without_accents(text) for text in texts.reshape(-1)]
    kept = [change(word) for word in words if word and (word if is_sensitive else word.lower()) not in refused]
    result = kept or [""]
    return [text_array(result, (len(result),) if texts.ndim < 2 else (1, len(result)))]


def _without_accents(text: str) -> str:
    if text.isascii():
        return text
    return "".join(letter for letter in unicodedata.normalize("NFKD", text) if not unicodedata.combining(letter))
