"""How an rOperator may be cut: which loop dimensions its generics share, and what kind of body fits."""
