"""Which generics become one rOperator."""
