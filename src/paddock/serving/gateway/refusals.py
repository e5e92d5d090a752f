"""Requests that are refused before a model sees them.

RequestRefused               400
├── MalformedJson
├── DuplicateKey
├── RouteNotFound            404
├── MethodNotAllowed         405
├── RequestTooSlow           408
├── UnsupportedBody          415
├── MisdirectedRequest       421, a Host that is not ours
└── HeadersTooLarge          431
NoModel                      503, nothing is loaded yet
AnswerTooSlow                503
"""

from paddock.kernel.errors import InvalidInput, Unavailable


class RequestRefused(InvalidInput):
    code = "bad_request"
    http_status = 400


class MalformedJson(RequestRefused):
    code = "malformed_json"


class DuplicateKey(RequestRefused):
    code = "duplicate_key"


class RouteNotFound(RequestRefused):
    code = "route_not_found"
    http_status = 404


class MethodNotAllowed(RequestRefused):
    code = "method_not_allowed"
    http_status = 405


class RequestTooSlow(RequestRefused):
    code = "request_too_slow"
    http_status = 408


class UnsupportedBody(RequestRefused):
    code = "unsupported_body"
    http_status = 415


class MisdirectedRequest(RequestRefused):
    code = "misdirected_request"
    http_status = 421


class HeadersTooLarge(RequestRefused):
    code = "headers_too_large"
    http_status = 431


class NoModel(Unavailable):
    code = "no_model"


class AnswerTooSlow(Unavailable):
    code = "answer_too_slow"
