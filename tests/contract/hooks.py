"""How schemathesis writes bodies that are no JSON."""

import schemathesis


def as_bytes(ctx, value):
    return value if isinstance(value, bytes) else str(value).encode("utf-8", "surrogatepass")


for media_type in ("application/x-ndjson", "text/csv", "application/x-protobuf", "application/octet-stream"):
    schemathesis.serializer(media_type)(as_bytes)
