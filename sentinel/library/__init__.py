"""YAML to values: what people wrote, read strictly, checked together, and refused with places."""
