"""Failures that schemathesis finds where the answer is right: each with its reason, as narrow as it can be."""

import re

import schemathesis

EXCEPTIONS = [
    (r"is not of types .*Value:\s+\[", "an array has any number of dimensions, whatever its type says"),
    (r"returned 404, expected 405.*\"42883\"", "a filter is read before the right to write, and json has no equality"),
    (r"method GET returned 404", "a function is looked up by its arguments, and there are none"),
    (r"method GET returned 204", "GET calls each function, in a transaction that only reads"),
    (r"returned 400, expected 405", "a body is read before a view is asked what it takes, as in PostgREST"),
    (r"\"code\":\"55000\"", "PostgreSQL says what a view does not take; PostgREST 16.2 answers 500 to all of class 55, and so does this"),
    (r"Allow header mismatch", "`Allow` tells what the relation takes, not what the role may do, as in PostgREST"),
]

# What may be wrong in a request that succeeds.
IGNORED = [
    (r"\bPrefer\b", "a preference that is not understood is ignored (RFC 7240)"),
    (r"\bRange\b", "a range that is not understood is ignored (RFC 9110)"),
    (r"\b(limit|offset)\b", "what is no number from 0 on is ignored, as in PostgREST"),
    (r"in body|body:", "PostgreSQL reads JSON more liberally than it writes it, and looks at what it needs"),
    (r"additionalProperties", "what is no filter of the rows that are answered decides nothing"),
    (r"`list` in query - incorrect type", "an exploded array of one looks like a value"),
]


@schemathesis.hook
def filter_failure(context, failure, case, response):
    if failure.title == "Schema-violating request accepted":
        _, _, wrong = failure.message.partition("Invalid component")
        lines = [line for line in wrong.splitlines() if line.strip(": ")]
        # A line with others below it only says where these are.
        details = [line for line in lines if line.lstrip().startswith("- ")] or lines
        # `columns` names the members of a body that count.
        is_left_out = re.compile(r"violates .* at /properties/" if "columns" in (case.query or {}) else r"(?!)")
        ignored = [re.compile(pattern) for pattern, _ in IGNORED] + [is_left_out]
        return not all(any(pattern.search(line) for pattern in ignored) for line in details)
    if is_empty_write(case, response) and re.search("Missing Content-Type|deserialization", failure.title):
        # OpenAPI has one description of a status, and `Prefer` decides whether such an answer has a body.
        return False
    text = f"{failure.title} {failure.message} {response.text}"
    return not any(re.search(pattern, text, re.DOTALL) for pattern, _ in EXCEPTIONS)


def is_empty_write(case, response):
    applied = response.headers.get("preference-applied", [""])[0]
    is_write = case.method in ("POST", "PATCH", "PUT", "DELETE") and response.status_code in (200, 201)
    return is_write and not response.content and "return=representation" not in applied
