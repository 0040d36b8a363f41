"""Cases of the Amazon States Language, recorded elsewhere and read in place."""
