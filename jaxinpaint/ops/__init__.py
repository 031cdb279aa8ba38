"""Pure array functions: no parameters, no networks."""
