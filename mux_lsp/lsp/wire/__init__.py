"""The wire: framing, documents, URIs, capabilities, and conversion to protocol types."""
