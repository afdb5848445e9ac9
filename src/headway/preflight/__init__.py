"""Can it be sent? Rules that check a request before it is paid for, and repair what the user asked to repair.

Pure: a rule looks at a request body and the facts of its model, and answers with values.
"""
