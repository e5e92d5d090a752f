"""Requests that a face refuses before any room, or any model, sees them.

RequestRefused               400 unless said otherwise
├── MalformedJson            not JSON, or not UTF-8
├── BodyTooDeep              nested deeper than the limit
├── DuplicateKey             one object names a key twice
├── NumberOutOfRange         422, a whole number beyond 64 bits
├── BadPath                  a path that two readers could read differently
├── TokenInUrl               a secret in the query, where logs would keep it
├── RouteNotFound            404
├── MethodNotAllowed         405
├── RequestTooSlow           408
├── BodyTooLarge             413
├── UnsupportedBody          415, wrong media type or an encoding that is not taken
├── RangeNotSatisfiable      416, bytes are asked for that the resource does not have
├── MisdirectedRequest       421, a Host that is not ours
└── HeadersTooLarge          431
CrossSiteRequest             403, sent by a page of another origin
ServerBusy                   503, all workers and their queue are taken
AnswerTooSlow                503, the work did not end in time
NoModel                      503, a gateway has nothing loaded yet
"""

from paddock.kernel.errors import Forbidden, InvalidInput, Unavailable


class RequestRefused(InvalidInput):
    code = "bad_request"
    http_status = 400


class MalformedJson(RequestRefused):
    code = "malformed_json"


class BodyTooDeep(RequestRefused):
    code = "too_deep"


class DuplicateKey(RequestRefused):
    code = "duplicate_key"


class NumberOutOfRange(RequestRefused):
    code = "number_out_of_range"
    http_status = 422


class BadPath(RequestRefused):
    code = "bad_path"


class TokenInUrl(RequestRefused):
    code = "token_in_url"


class RouteNotFound(RequestRefused):
    code = "route_not_found"
    http_status = 404


class MethodNotAllowed(RequestRefused):
    code = "method_not_allowed"
    http_status = 405


class RequestTooSlow(RequestRefused):
    code = "request_too_slow"
    http_status = 408


class BodyTooLarge(RequestRefused):
    code = "body_too_large"
    http_status = 413


class UnsupportedBody(RequestRefused):
    code = "unsupported_body"
    http_status = 415


class RangeNotSatisfiable(RequestRefused):
    code = "range_not_satisfiable"
    http_status = 416


class MisdirectedRequest(RequestRefused):
    code = "misdirected_request"
    http_status = 421


class HeadersTooLarge(RequestRefused):
    code = "headers_too_large"
    http_status = 431


class CrossSiteRequest(Forbidden):
    code = "cross_site_request"


class ServerBusy(Unavailable):
    code = "server_busy"


class AnswerTooSlow(Unavailable):
    code = "answer_too_slow"


class NoModel(Unavailable):
    code = "no_model"
