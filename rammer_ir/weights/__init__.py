"""The bytes of a model's weights, which the IR names but does not hold."""
