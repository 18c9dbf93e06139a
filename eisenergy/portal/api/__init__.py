"""The interface for programs, ``/v1``: JSON under bearer tokens, described by OpenAPI 3.1."""
