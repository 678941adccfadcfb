"""How well memory finds what it should: metrics, and runs over data sets."""
