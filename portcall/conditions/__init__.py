"""What a policy may ask of an event: one module per sort of condition, one for the whole block.

Conditions are compiled when they are read, so that a wrong one cannot be saved.
"""
