"""Failures that schemathesis finds where the answer is right: each with its reason, as narrow as it can be."""

import re

import schemathesis

EXCEPTIONS = [
    (r"accepted.*parameter `Prefer` in header", "preferences that nobody knows are ignored (RFC 7240, section 2)"),
    (r"accepted.*parameter `Range` in header", "ranges that nobody understands are ignored (RFC 9110, section 14.2)"),
    (r"accepted.*parameter `(offset|limit)` in query", "what is no number from 0 on is ignored, as in PostgREST"),
    (r"returned 400, expected 405", "a body is read before a view is asked what it takes, as in PostgREST"),
    (r"\"code\":\"55000\"", "PostgreSQL says what a view does not take; PostgREST answers with 500, too"),
]


@schemathesis.hook
def filter_failure(context, failure, case, response):
    if is_empty_write(case, response):
        # OpenAPI has one description of a status, and `Prefer` decides whether such an answer has a body.
        return not re.search(r"Missing Content-Type|deserialization", failure.title)
    if "in body" in failure.message and "columns" in case.query:
        # `columns` says which keys of the body count.
        return False
    text = f"{failure.title} {failure.message} {response.text}"
    return not any(re.search(pattern, text, re.DOTALL) for pattern, _ in EXCEPTIONS)


def is_empty_write(case, response):
    applied = response.headers.get("preference-applied", [""])[0]
    is_write = case.method in ("POST", "PATCH", "PUT", "DELETE") and response.status_code in (200, 201)
    return is_write and not response.content and "return=representation" not in applied
