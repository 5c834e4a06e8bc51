"""What runs on the host between programs: strings, sequences, optionals, and shapes that depend on data."""
