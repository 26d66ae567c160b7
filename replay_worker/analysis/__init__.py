"""What a trace tells when it is looked at as a whole: numbers computed here, words from a model."""
