"""L2: functions under their NumPy and array API names, made of primitives.

They take and return plain arrays as well as tensors: arrays in, arrays out.
"""
