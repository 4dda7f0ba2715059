"""Cases of kinds of fault, each with what has to happen."""
