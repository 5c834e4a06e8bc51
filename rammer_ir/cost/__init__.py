"""What things cost: descriptions of devices and models of time, as pure functions over numbers."""
