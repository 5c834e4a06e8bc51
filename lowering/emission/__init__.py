"""Programs of the vdevice level as program images: tables of instructions, and the text of kernel bodies."""
