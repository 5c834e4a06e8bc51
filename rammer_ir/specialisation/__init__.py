"""
Models whose shapes vary, made of programs whose shapes do not.

A model is specialised to the shapes of its inputs, and to the values of those that decide shapes or attributes. Where
a shape depends on what is computed, the model is cut: what stands before is a program, what stands behind is
specialised to what came out.
"""
