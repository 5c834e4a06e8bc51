"""What passes do with `rop.generic`s: take them apart and put them together, recognise views, read through them."""
