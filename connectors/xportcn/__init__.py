"""The shared connector to the Xportcn OpenAPI."""
