"""Networks: the only room that imports Flax. Variables and arrays go in, arrays come out."""
