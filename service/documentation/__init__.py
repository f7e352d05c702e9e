"""The OpenAPI document and the page at /docs. The forms of JSON answers are in service/answers."""
