"""Routes that clients of other systems call: each a thin adapter over one function."""
