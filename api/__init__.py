"""The HTTP surface (FastAPI): a router per noun."""
