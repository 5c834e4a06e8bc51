"""Programs of the `vdevice` level run in any order that their waits allow, not in text order alone."""
